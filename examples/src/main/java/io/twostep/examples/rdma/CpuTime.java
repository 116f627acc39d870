package io.twostep.examples.rdma;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** Processor time: what work costs, however busy the computer is with other things. */
final class CpuTime {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private CpuTime() {}

  /** Return what the calling thread has used so far, nanoseconds. */
  static long ofThread() {
    return THREADS.getCurrentThreadCpuTime();
  }
}
