package io.twostep.examples.compare;

/**
 * What a strategy cost on a stack.
 *
 * @param of stack and strategy
 * @param counted what it did
 * @param timed what it took
 * @param pagesPerIo pages of a request on average
 */
public record StrategyCost(StackKind.Case of, Counted counted, Timed timed, double pagesPerIo) {
  /** Return the simulated nanoseconds of a request. */
  public double simulatedNanosPerIo() {
    return (double) counted.simulatedNanos() / counted.ios();
  }

  /** Return the processor's nanoseconds to map a request. */
  public double mapNanosPerIo() {
    return timed.mapNanosPerPage().median() * pagesPerIo;
  }

  /** Return the processor's nanoseconds to unmap a request. */
  public double unmapNanosPerIo() {
    return timed.unmapNanosPerPage().median() * pagesPerIo;
  }

  /** Return what a request cost in all: measured on the processor, simulated on the translation hardware. */
  public double nanosPerIo() {
    return mapNanosPerIo() + unmapNanosPerIo() + simulatedNanosPerIo();
  }
}
