package io.twostep.benchmarks.flow;

/** Something that a mapping layer does again and again, for one thread or several at once. */
public interface Flow extends AutoCloseable {
  /** Return what one of {@code workers} threads does; the worker is used by one thread and closed before the flow. */
  Worker worker(int index, int workers);

  /** Return the operations that can only be done together; what a worker is asked to do is a multiple. */
  default int batch() {
    return 1;
  }

  @Override
  void close();

  /** One thread's part of a flow. */
  interface Worker extends AutoCloseable {
    /** Perform operations, and return something that depends on all of them. */
    long run(int operations);

    @Override
    default void close() {}
  }
}
