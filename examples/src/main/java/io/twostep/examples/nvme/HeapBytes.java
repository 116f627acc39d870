package io.twostep.examples.nvme;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Reads how many heap bytes this thread has allocated. */
public final class HeapBytes {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private HeapBytes() {}

  /** Return it. */
  public static long ofThread() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }
}
