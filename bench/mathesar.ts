// A person of Mathesar who is logged in, as far as a measure needs one.

export const account = { name: 'bench', password: 'correct horse battery 9' }

/** The first boot makes this administrator. */
export const accountEnv = {
  ADMIN_USERNAME: account.name,
  ADMIN_PASSWORD: account.password,
  ADMIN_EMAIL: 'bench@example.org',
}

export class Person {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(port: number) {
    this.#origin = `http://localhost:${port}`
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(init.headers as Record<string, string>), cookie, referer: `${this.#origin}${path}` }
    const response = await fetch(`${this.#origin}${path}`, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      this.#cookies.set(name!, value!)
    }
    return response
  }

  async logIn(): Promise<void> {
    const page = await (await this.#ask('/auth/login/')).text()
    const csrfmiddlewaretoken = /csrfmiddlewaretoken" value="([^"]+)/.exec(page)?.[1] ?? ''
    const { name, password } = account
    // The fields of allauth's form, and of Django's.
    const body = new URLSearchParams({ csrfmiddlewaretoken, login: name, username: name, password })
    const { status } = await this.#ask('/auth/login/', { method: 'POST', body })
    if (status !== 302) throw new Error(`Mathesar does not log ${name} in: status ${status}`)
  }

  /** Calls a method of Mathesar's API. */
  async call<T>(method: string, params: Readonly<Record<string, unknown>>): Promise<T> {
    const headers = {
      'content-type': 'application/json',
      'x-csrftoken': this.#cookies.get('csrftoken') ?? '',
    }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const response = await this.#ask('/api/rpc/v0/', { method: 'POST', headers, body })
    const answer = (await response.json()) as { readonly result?: T; readonly error?: unknown }
    if (answer.result === undefined) throw new Error(`${method}: ${JSON.stringify(answer.error)}`)
    return answer.result
  }
}
