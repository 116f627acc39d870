package io.twostep.machine.linux.vfiouser;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;

/**
 * Counts the heap bytes that this thread and others allocate, for each time that something is done.
 *
 * <p>The JDK makes an object of 40 bytes for every system call that captures its error number, which the compiler removes once it has compiled the call for good: so this takes as many rounds as that needs.
 */
final class HeapBytes {
  /** By handle, because the module under test does not read the management module. */
  private static final MethodHandle OF_THREADS = handle("getThreadAllocatedBytes", MethodType.methodType(long[].class, long[].class));

  private static final MethodHandle OF_THIS_THREAD = handle("getCurrentThreadAllocatedBytes", MethodType.methodType(long.class));
  private static final int WARM_UP = 2_000;
  private static final int ROUNDS = 600;
  private static final int RUNS = 100;

  private HeapBytes() {}

  /** Return the fewest bytes, rounded up, that warm rounds of {@code work} allocated each time: on this thread first, then on the others, known by their names. */
  static long[] leastOf(Runnable work, String... others) {
    long[] threads = new long[others.length + 1];
    threads[0] = Thread.currentThread().threadId();
    for (int i = 0; i < others.length; i++) {
      threads[i + 1] = idOf(others[i]);
    }
    for (int i = 0; i < WARM_UP; i++) {
      work.run();
    }
    long[] least = new long[threads.length];
    Arrays.fill(least, Long.MAX_VALUE);
    for (int round = 0; round < ROUNDS && Arrays.stream(least).anyMatch(bytes -> bytes != 0); round++) {
      long[] before = ofThreads(threads);
      long mine = ofThisThread();
      for (int i = 0; i < RUNS; i++) {
        work.run();
      }
      mine = ofThisThread() - mine;
      long[] after = ofThreads(threads);
      for (int i = 0; i < threads.length; i++) {
        long bytes = i == 0 ? mine : after[i] - before[i];
        least[i] = Math.min(least[i], (bytes + RUNS - 1) / RUNS);
      }
    }
    return least;
  }

  private static long[] ofThreads(long[] threads) {
    try {
      return (long[]) OF_THREADS.invokeExact(threads);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static long ofThisThread() {
    try {
      return (long) OF_THIS_THREAD.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static MethodHandle handle(String name, MethodType type) {
    try {
      Object threads = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean").invoke(null);
      return MethodHandles.publicLookup().findVirtual(Class.forName("com.sun.management.ThreadMXBean"), name, type).bindTo(threads);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static long idOf(String name) {
    return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals(name)).findFirst().orElseThrow().threadId();
  }
}
