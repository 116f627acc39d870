package io.twostep.examples.nvme;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Reads how many heap bytes this thread has allocated. */
final class HeapBytes {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private HeapBytes() {}

  static long ofThread() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }
}
