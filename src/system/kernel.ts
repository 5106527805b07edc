import { closeSync } from 'node:fs'
import { checkCall, type Libc, loadLibc } from './libc.ts'

// Constants and layouts are those of Linux on x86_64 and arm64 (uapi headers), which agree on all that is
// used here.
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000
const F_GETFL = 3
const F_SETFL = 4
const F_SETPIPE_SZ = 1031
const POLLIN = 1
const POLLHUP = 16
const P_ALL = 0
const WNOHANG = 1
const WEXITED = 4
const WNOWAIT = 0x01000000
const PR_SET_DUMPABLE = 4
const PR_SET_CHILD_SUBREAPER = 36
const LOCK_EX_NB = 2 | 4
const MADV_DONTNEED = 4
const M_MMAP_THRESHOLD = -3
const M_ARENA_MAX = -8
/** Connections that may wait in a socket; the kernel has a limit of its own (net.core.somaxconn). */
const backlog = 4096
/** `siginfo_t` as ints: `si_pid` comes after three of them and one of padding. */
const SI_PID = 4

const flag = (on: 0 | 1): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(on)
  return bytes
}

/** `sockaddr_in` or `sockaddr_in6`. */
const socketAddress = (libc: Libc, address: string, port: number): Buffer => {
  const [family, size, at] = address.includes(':') ? [AF_INET6, 28, 8] : [AF_INET, 16, 4]
  const bytes = Buffer.alloc(size)
  bytes.writeUInt16LE(family, 0)
  bytes.writeUInt16BE(port, 2)
  checkCall(libc.inet_pton(family, address, bytes.subarray(at)) - 1, `read the address ${address}`)
  return bytes
}

/** `sockaddr_un`: the path ends with a zero byte. */
const unixAddress = (path: string): Buffer => {
  const text = Buffer.from(`${path}\0`)
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX, 0)
  return Buffer.concat([family, text])
}

/**
 * Listening sockets as descriptors, closed on exec. Connections queue in them from now on. They do not block:
 * a worker of nginx would else wait in accept(2) for a connection that another one has taken.
 */
const openSockets = (libc: Libc) => {
  const listen = (address: Buffer, name: string): number => {
    const family = address.readUInt16LE(0)
    const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK
    const fd = checkCall(libc.socket(family, type, 0), 'create a socket')
    try {
      checkCall(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, flag(1), 4), 'set SO_REUSEADDR')
      if (family === AF_INET6)
        checkCall(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, flag(0), 4), 'unset IPV6_V6ONLY')
      checkCall(libc.bind(fd, address, address.length), `bind ${name}`)
      checkCall(libc.listen(fd, backlog), `listen on ${name}`)
      return fd
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }
  /** What is to be said of a socket now, among what is asked for; POLLHUP is said in any case. */
  const look = (fd: number, events: number): number => {
    const one = Buffer.alloc(8) // `struct pollfd`
    one.writeInt32LE(fd, 0)
    one.writeInt16LE(events, 4)
    checkCall(libc.poll(one, 1, 0), 'look at a socket')
    return one.readInt16LE(6)
  }
  return {
    /** That of `::` takes the connections of IPv4, too. */
    listenTcp: (address: string, port: number): number =>
      listen(socketAddress(libc, address, port), `${address} port ${port}`),
    /** The path must be free, and at most 107 bytes long. */
    listenUnix: (path: string): number => listen(unixAddress(path), path),
    /** Whether a connection waits in such a socket. What /proc shows are also those of other containers. */
    isAwaited: (fd: number): boolean => look(fd, POLLIN) !== 0,
    isShut: (fd: number): boolean => (look(fd, 0) & POLLHUP) !== 0,
    listenUnixAgain: (path: string, fd: number): void => {
      const made = listen(unixAddress(path), path)
      checkCall(libc.dup3(made, fd, O_CLOEXEC), 'replace a socket')
      closeSync(made)
    },
  }
}

const openPipes = (libc: Libc) => {
  /** Sets how many bytes a pipe holds, if it is one and the kernel permits. */
  const setPipeSize = (fd: number, bytes: number): void => {
    libc.fcntl(fd, F_SETPIPE_SZ, bytes)
  }
  return {
    setPipeSize,

    /**
     * A pipe, both ends closed on exec. A child may reopen its end by /dev/stdout, which a socket pair does
     * not permit. With `bytes` it holds that many if the kernel permits: its writer waits less often.
     */
    pipe: (bytes?: number): { readonly read: number; readonly write: number } => {
      const ends = Buffer.alloc(8)
      checkCall(libc.pipe2(ends, O_CLOEXEC), 'create a pipe')
      if (bytes !== undefined) setPipeSize(ends.readInt32LE(0), bytes)
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) }
    },

    setNonBlocking: (fd: number, on: boolean): void => {
      const flags = checkCall(libc.fcntl(fd, F_GETFL, 0), 'read the flags of a descriptor')
      const wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
      checkCall(libc.fcntl(fd, F_SETFL, wanted), 'set the flags of a descriptor')
    },

    /**
     * Takes an exclusive lock that lasts as long as the descriptor; false when somebody else holds it. Throws
     * where the file system has no locks.
     */
    tryLock: (fd: number): boolean => {
      try {
        checkCall(libc.flock(fd, LOCK_EX_NB), 'lock a file')
        return true
      } catch (error) {
        if (!['EAGAIN', 'EWOULDBLOCK'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
        return false
      }
    },
  }
}

const openProcesses = (libc: Libc) => {
  const siginfo = new Int32Array(32)
  return {
    /** The pid of some exited child, left in place for the one that waits for it; `undefined` if none. */
    peekEnded: (): number | undefined => {
      siginfo[SI_PID] = 0
      if (libc.waitid(P_ALL, 0, siginfo, WEXITED | WNOHANG | WNOWAIT) < 0) return undefined
      return siginfo[SI_PID] || undefined
    },

    /** Collects one exited child; false when it has not exited or is not a child. */
    collect: (pid: number): boolean => libc.waitpid(pid, null, WNOHANG) > 0,

    /** Orphans below this process come to it even when it is not PID 1. */
    becomeSubreaper: (): void => {
      checkCall(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'become a subreaper')
    },

    /**
     * Opens files as another user for the time of `act`, which must not wait: only this thread is that user
     * meanwhile. Root without CAP_SYS_PTRACE may not look into a process of another user, but that user may
     * (ptrace(2), "access mode checking"). A process that changes its user is no longer dumpable,
     * which is undone.
     */
    asFileUser: <T>({ uid, gid }: { readonly uid: number; readonly gid: number }, act: () => T): T => {
      const own = { gid: libc.setfsgid(gid), uid: libc.setfsuid(uid) }
      try {
        return act()
      } finally {
        libc.setfsuid(own.uid)
        libc.setfsgid(own.gid)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
      }
    },
  }
}

const openMemory = (libc: Libc) => ({
  /**
   * Has malloc keep little: large blocks go back to the kernel when they are freed, however many there were,
   * and threads share one heap. What it has before stays.
   */
  keepHeapSmall: (): void => {
    libc.mallopt(M_MMAP_THRESHOLD, 128 * 1024)
    libc.mallopt(M_ARENA_MAX, 1)
  },

  /** Gives the pages that malloc holds free back to the kernel. */
  trimHeap: (): void => {
    libc.malloc_trim(0)
  },

  /** Forgets that pages of a file were mapped. Only for pages that nobody may write: the file has them. */
  forgetMapped: (address: number, bytes: number): void => {
    libc.madvise(address, bytes, MADV_DONTNEED)
  },
})

/**
 * The few system calls that Node does not offer. Each throws an Error with `code` (EADDRINUSE, …) when the
 * kernel refuses, unless it says otherwise.
 */
export const openKernel = () => {
  const libc = loadLibc()
  return { ...openSockets(libc), ...openPipes(libc), ...openProcesses(libc), ...openMemory(libc) }
}

export type Kernel = ReturnType<typeof openKernel>
