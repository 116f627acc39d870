package io.twostep.dma.spi;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A device in software: registers on one side, {@link BusMaster} on the other, and no thread of its own.
 *
 * <p>The machine calls all methods under one lock, so that a model needs none. A model reaches memory only through the bus master, from {@link #connect} on; it may
 * do so in any method, but work belongs in {@link #step}, where a reset can come between its pieces: register accesses are quick. An exception from step reaches
 * the caller of {@link Timers#pause}, with the device's address.
 */
public interface DeviceModel extends AutoCloseable {
  /** Return what the function is, for its configuration space. */
  Identity identity();

  /** Return the BARs, by index, at most 6; NONE entries for gaps. */
  List<BarSpec> bars();

  /** Return how many interrupt vectors it has, 0 to 2048. */
  int vectors();

  /** Receive the device's side of the bus; called once, before anything else. */
  void connect(BusMaster bus, Signals signals);

  /** Read {@code width} (4 or 8) bytes of a register BAR. */
  long read(int bar, long offset, int width);

  /** Write {@code width} (4 or 8) bytes of a register BAR. */
  void write(int bar, long offset, int width, long value);

  /** Return the memory behind a memory BAR; the same segment each time. */
  default MemorySegment memory(int bar) {
    throw new IllegalArgumentException("BAR " + bar + " is not memory");
  }

  /** Go back to the state after power-on; what was in flight is forgotten and does no further access. */
  void reset();

  /**
   * Do up to {@code budget} pieces of work, such as commands.
   *
   * @return whether there is more to do at once
   */
  boolean step(int budget);

  @Override
  void close();

  /** What a function is: PCI vendor, device, 24-bit class code, revision. */
  record Identity(int vendor, int device, int classCode, int revision) {}

  /**
   * What a BAR is.
   *
   * @param kind registers, memory or none
   * @param length bytes, a power of two
   */
  record BarSpec(DeviceSlot.Bar.Kind kind, long length) {
    /** A BAR that does not exist. */
    public static final BarSpec NONE = new BarSpec(DeviceSlot.Bar.Kind.NONE, 0);
  }

  /** What a model tells its machine. */
  interface Signals {
    /**
     * Signal an interrupt vector.
     *
     * @throws IndexOutOfBoundsException if the model has no such vector
     */
    void interrupt(int vector);

    /** Ask to be stepped: there is work, for example after a doorbell. */
    void wake();

    /** Ask to be stepped {@code delayNanos} from now. */
    void wakeAfter(long delayNanos);

    /** Return the machine's clock, nanoseconds. */
    long nanoTime();
  }
}
