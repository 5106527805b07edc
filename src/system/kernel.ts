import koffi from 'koffi'

/**
 * The few system calls that Node lacks, through koffi. Each throws an Error with `code` (EADDRINUSE, …) when the kernel refuses.
 * Constants and layouts are those of Linux on x86_64 and arm64 (uapi headers), which agree on all that is used here.
 */
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000
const F_GETFL = 3
const F_SETFL = 4
const F_SETPIPE_SZ = 1031
const P_ALL = 0
const WNOHANG = 1
const WEXITED = 4
const WNOWAIT = 0x01000000
const PR_SET_CHILD_SUBREAPER = 36
const LOCK_EX_NB = 2 | 4
const MADV_DONTNEED = 4
/** `siginfo_t` as ints: `si_pid` comes after three of them and one of padding. */
const SI_PID = 4

export const openKernel = () => {
  const libc = koffi.load('libc.so.6')
  const call = {
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)'),
    bind: libc.func('int bind(int, void *, uint32_t)'),
    listen: libc.func('int listen(int, int)'),
    pipe2: libc.func('int pipe2(void *, int)'),
    fcntl: libc.func('int fcntl(int, int, int)'),
    waitid: libc.func('int waitid(int, uint32_t, void *, int)'),
    waitpid: libc.func('int waitpid(int, void *, int)'),
    prctl: libc.func('int prctl(int, uint64_t, uint64_t, uint64_t, uint64_t)'),
    flock: libc.func('int flock(int, int)'),
    malloc_trim: libc.func('int malloc_trim(size_t)'),
    madvise: libc.func('int madvise(uint64_t, size_t, int)'),
  }
  const names = Object.fromEntries(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))
  const check = (result: number, what: string): number => {
    if (result >= 0) return result
    const code = names[koffi.errno()] ?? `errno ${koffi.errno()}`
    throw Object.assign(new Error(`cannot ${what}: ${code}`), { code })
  }
  const siginfo = new Int32Array(32)
  const setPipeSize = (fd: number, bytes: number): void => void call.fcntl(fd, F_SETPIPE_SZ, bytes)

  return {
    /** A listening IPv4 TCP socket, as a file descriptor that is closed on exec. Connections queue in it from now on. */
    listenTcp: (address: string, port: number, backlog: number, close: (fd: number) => void): number => {
      const fd = check(call.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 'make a socket')
      try {
        const on = Buffer.alloc(4)
        on.writeInt32LE(1)
        check(call.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, 4), 'set SO_REUSEADDR')
        const sockaddr = Buffer.alloc(16)
        sockaddr.writeUInt16LE(AF_INET, 0)
        sockaddr.writeUInt16BE(port, 2)
        sockaddr.set(address.split('.').map(Number), 4)
        check(call.bind(fd, sockaddr, 16), `bind ${address}:${port}`)
        check(call.listen(fd, backlog), `listen on ${address}:${port}`)
        return fd
      } catch (error) {
        close(fd)
        throw error
      }
    },

    /**
     * A pipe, both ends closed on exec. A child may reopen its end by /dev/stdout, which a socket pair does not permit. With `bytes`
     * it holds so many if the kernel permits: whoever writes to it waits less often.
     */
    pipe: (bytes?: number): { readonly read: number; readonly write: number } => {
      const ends = Buffer.alloc(8)
      check(call.pipe2(ends, O_CLOEXEC), 'make a pipe')
      if (bytes !== undefined) setPipeSize(ends.readInt32LE(0), bytes)
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) }
    },

    /** Has a pipe hold so many bytes, if the kernel permits and it is one. */
    setPipeSize,

    setNonBlocking: (fd: number, on: boolean): void => {
      const flags = check(call.fcntl(fd, F_GETFL, 0), 'read the flags of a descriptor')
      check(
        call.fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK),
        'set the flags of a descriptor',
      )
    },

    /** The pid of some child that has ended, left in place for whoever waits for it; `undefined` when there is none. */
    peekEnded: (): number | undefined => {
      siginfo[SI_PID] = 0
      if (call.waitid(P_ALL, 0, siginfo, WEXITED | WNOHANG | WNOWAIT) < 0) return undefined
      return siginfo[SI_PID] || undefined
    },

    /** Collects one ended child; false when it has not ended or is no child. */
    collect: (pid: number): boolean => call.waitpid(pid, null, WNOHANG) > 0,

    /** Orphans below this process come to it even when it is not PID 1. */
    becomeSubreaper: (): void =>
      void check(call.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'become a subreaper'),

    /** Gives the pages that malloc holds free back to the kernel. */
    trimHeap: (): void => void call.malloc_trim(0),

    /** Forgets that pages of a file were mapped. Only for pages that nobody may write: they come back from the file. */
    forgetMapped: (address: number, bytes: number): void => void call.madvise(address, bytes, MADV_DONTNEED),

    /** Takes an exclusive lock that lasts as long as the descriptor; false when somebody else holds it. */
    tryLock: (fd: number): boolean => call.flock(fd, LOCK_EX_NB) === 0,
  }
}

export type Kernel = ReturnType<typeof openKernel>
