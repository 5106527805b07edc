/**
 * When memory runs out, the kernel kills the process with the highest score: its share of the memory in
 * thousandths plus oom_score_adj, at most 1000 (proc_pid_oom_score_adj(5)). So what serves one request goes
 * before what keeps a service up, and the supervisor goes last. Raising the value needs no privilege.
 */
export const oomScores = (supervisor: number): { readonly service: number; readonly worker: number } => ({
  service: Math.min(1000, supervisor + 100),
  worker: Math.min(1000, supervisor + 200),
})
