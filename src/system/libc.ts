import koffi from 'koffi'

/** A pointer argument: memory of ours that the call reads or fills. */
type Memory = Buffer | Int32Array

/** The functions of libc that are called. All return an int; -1 is a failure. */
export type Libc = {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Memory, length: number) => number
  readonly bind: (fd: number, address: Memory, length: number) => number
  /** 1 when the text is an address. */
  readonly inet_pton: (family: number, text: string, address: Memory) => number
  readonly listen: (fd: number, backlog: number) => number
  readonly poll: (set: Memory, length: number, timeoutMs: number) => number
  readonly dup3: (from: number, to: number, flags: number) => number
  readonly pipe2: (ends: Memory, flags: number) => number
  readonly fcntl: (fd: number, command: number, argument: number) => number
  readonly waitid: (type: number, id: number, siginfo: Memory, options: number) => number
  readonly waitpid: (pid: number, status: null, options: number) => number
  readonly prctl: (option: number, two: number, three: number, four: number, five: number) => number
  readonly flock: (fd: number, operation: number) => number
  readonly setfsuid: (uid: number) => number
  readonly setfsgid: (gid: number) => number
  readonly malloc_trim: (pad: number) => number
  readonly mallopt: (parameter: number, value: number) => number
  readonly madvise: (address: number, length: number, advice: number) => number
}

/** Loads libc. koffi knows no types of C functions: this is the one place that says them. */
export const loadLibc = (): Libc => {
  const libc = koffi.load('libc.so.6')
  return {
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)'),
    bind: libc.func('int bind(int, void *, uint32_t)'),
    inet_pton: libc.func('int inet_pton(int, str, void *)'),
    listen: libc.func('int listen(int, int)'),
    poll: libc.func('int poll(void *, uint64_t, int)'),
    dup3: libc.func('int dup3(int, int, int)'),
    pipe2: libc.func('int pipe2(void *, int)'),
    fcntl: libc.func('int fcntl(int, int, int)'),
    waitid: libc.func('int waitid(int, uint32_t, void *, int)'),
    waitpid: libc.func('int waitpid(int, void *, int)'),
    prctl: libc.func('int prctl(int, uint64_t, uint64_t, uint64_t, uint64_t)'),
    flock: libc.func('int flock(int, int)'),
    setfsuid: libc.func('int setfsuid(uint32_t)'),
    setfsgid: libc.func('int setfsgid(uint32_t)'),
    malloc_trim: libc.func('int malloc_trim(size_t)'),
    mallopt: libc.func('int mallopt(int, int)'),
    madvise: libc.func('int madvise(uint64_t, size_t, int)'),
  }
}

/** Returns `result`; throws an Error with `code` (EADDRINUSE, …) when the call before has failed. */
export const checkCall = (result: number, what: string): number => {
  if (result >= 0) return result
  const errno = koffi.errno()
  const [code = `errno ${errno}`] =
    Object.entries(koffi.os.errno).findLast(([, number]) => number === errno) ?? []
  throw Object.assign(new Error(`cannot ${what}: ${code}`), { code })
}
