package io.twostep.dma;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** Measures heap bytes that the current thread allocates. */
final class Allocation {
  /** By handle, because the module under test does not read the management module. */
  private static final MethodHandle ALLOCATED_BYTES = allocatedBytesHandle();

  /** Rounds at most until one allocates nothing: the compiler, which removes the last objects, has a thread of its own and may come late. */
  private static final int MOST_ROUNDS = 100;

  private Allocation() {}

  /** Return the fewest bytes that one of several warm runs of {@code work} allocates. */
  static long leastBytesOf(Runnable work) {
    for (int i = 0; i < 4_000; i++) {
      work.run();
    }
    long least = Long.MAX_VALUE;
    for (int round = 0; round < MOST_ROUNDS && least != 0; round++) {
      long before = allocatedBytes();
      for (int i = 0; i < 500; i++) {
        work.run();
      }
      least = Math.min(least, allocatedBytes() - before);
    }
    return least;
  }

  private static long allocatedBytes() {
    try {
      return (long) ALLOCATED_BYTES.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static MethodHandle allocatedBytesHandle() {
    try {
      Object bean = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean").invoke(null);
      return MethodHandles.publicLookup()
          .findVirtual(
              Class.forName("com.sun.management.ThreadMXBean"),
              "getCurrentThreadAllocatedBytes",
              MethodType.methodType(long.class))
          .bindTo(bean);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }
}
