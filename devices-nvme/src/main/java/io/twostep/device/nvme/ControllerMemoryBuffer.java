package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CmbLayout;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A controller's own memory, which lies in one of its BARs (Base 8.5): submission queues may live there, and data that peers or the controller move.
 *
 * <p>One byte of it has three addresses, which never agree on every machine:
 *
 * <ul>
 *   <li>{@link #phys}: where the CPU finds it, and what ranges of a request carry;
 *   <li>{@link #busAddress}: where other devices on the bus find it;
 *   <li>{@link #controllerAddress}: where the controller itself recognises it, and nothing else, in its own commands.
 * </ul>
 *
 * <p>Thread-safe but for the taking of memory while the controller is opened.
 */
public final class ControllerMemoryBuffer {
  private static final Logger LOG = LoggerFactory.getLogger(ControllerMemoryBuffer.class);
  private static final int BARS = 6;

  private final ControllerCore core;
  private final int attributes;
  private final int location;
  private final boolean claimable;
  private final int barIndex;
  private final long barOffset;
  private final MemorySegment segment;
  private final long phys;
  private final long busAddress;
  private final long controllerAddress;
  private long taken;

  private ControllerMemoryBuffer(
      ControllerCore core, int location, int attributes, boolean claimable, DeviceSlot.Bar bar, MemorySegment segment, long offset) {
    this.core = core;
    this.location = location;
    this.attributes = attributes;
    this.claimable = claimable;
    this.segment = segment;
    barIndex = CmbLayout.BIR.get(location);
    barOffset = offset;
    phys = bar.phys() + offset;
    busAddress = bar.busAddress() + offset;
    long wanted = core.config().cmbAddress();
    controllerAddress = claimable && wanted != 0 ? wanted : busAddress;
  }

  /** Find the buffer of a stopped controller and have the controller claim it; null if there is none of use. */
  static @Nullable ControllerMemoryBuffer find(ControllerCore core) {
    // Controllers before version 1.4 have no such capability bit: they show their buffer always, and claim its bus address.
    boolean claimable = CapLayout.CMBS.isSet(core.registers().cap());
    if (claimable) {
      core.registers().showBuffer();
    }
    int attributes = core.registers().bufferSize();
    int location = core.registers().bufferLocation();
    if (CmbLayout.SZ.get(attributes) == 0) {
      return null;
    }
    int index = CmbLayout.BIR.get(location);
    DeviceSlot.Bar bar = index < BARS ? core.slot().bar(index) : DeviceSlot.Bar.NONE;
    long offset = CmbLayout.offset(location, attributes);
    if (bar.kind() != DeviceSlot.Bar.Kind.MEMORY || offset >= bar.length()) {
      LOG.warn("{}: the controller memory buffer is left alone: it says BAR {}, offset 0x{}, where no memory is", core.name(), index, Long.toHexString(offset));
      return null;
    }
    long length = Math.min(CmbLayout.size(attributes), bar.length() - offset);
    MemorySegment segment = core.slot().memory(index).asSlice(offset, length);
    ControllerMemoryBuffer buffer = new ControllerMemoryBuffer(core, location, attributes, claimable, bar, segment, offset);
    if (!buffer.tryClaim()) {
      LOG.warn(
          "{}: the controller memory buffer is left alone: the controller does not take 0x{} as its address", core.name(), Long.toHexString(buffer.controllerAddress));
      return null;
    }
    return buffer;
  }

  private boolean tryClaim() {
    return !claimable || core.registers().tryClaimBuffer(controllerAddress);
  }

  /** Claim the buffer once more, after a reset; what was in it is lost. */
  void claimAgain() {
    boolean same = true;
    if (claimable) {
      core.registers().showBuffer();
      same = core.registers().bufferSize() == attributes && core.registers().bufferLocation() == location;
    }
    if (!same || !tryClaim()) {
      throw NvmeException.ofController(
          core.name(), NvmeErrorKind.PROTOCOL, "its memory buffer, which queues may lie in, is another after the reset");
    }
  }

  /** Return the buffer as the CPU sees it. Stores cross the bus: write it whole and in order, and read it seldom. */
  public MemorySegment segment() {
    return segment;
  }

  /** Return the bytes of the buffer. */
  public long length() {
    return segment.byteSize();
  }

  /** Return the address of the first byte for the CPU: what {@link io.twostep.dma.PhysRanges} of a request name. */
  public long phys() {
    return phys;
  }

  /** Return the address of the first byte for other devices of the same bus. */
  public long busAddress() {
    return busAddress;
  }

  /** Return the address of the first byte for the controller itself; it means this buffer to no one else. */
  public long controllerAddress() {
    return controllerAddress;
  }

  /** Tell whether submission queues may lie here. */
  public boolean takesSubmissionQueues() {
    return CmbLayout.SQS.isSet(attributes);
  }

  /** Tell whether data may lie here that the controller reads from its medium. */
  public boolean takesReadData() {
    return CmbLayout.RDS.isSet(attributes);
  }

  /** Tell whether data may lie here that the controller writes to its medium. */
  public boolean takesWriteData() {
    return CmbLayout.WDS.isSet(attributes);
  }

  /** Tell whether one command's data and metadata may lie here in part; where not, requests are split at the border. */
  public boolean mixesData() {
    return CmbLayout.CDMMMS.isSet(location);
  }

  /**
   * Publish what queues left of the buffer, for data that this controller and its peers move; the caller closes it before the controller is closed.
   *
   * @throws IllegalStateException if the controller does not take data of both directions here, or nothing is left
   */
  public PeerMemory publish() {
    Machine machine = core.machine();
    long frame = machine.memory().frameSize();
    long first = (barOffset + taken + frame - 1) & -frame;
    long end = (barOffset + length()) & -frame;
    if (!takesReadData() || !takesWriteData() || first >= end) {
      throw new IllegalStateException(
          core.name() + ": the controller memory buffer takes " + (first < end ? "no data of both directions" : "no data: queues fill it"));
    }
    return PeerMemory.publish(machine, core.slot(), barIndex, first, end - first);
  }

  /** Return the offset from which on the buffer is free of queues. */
  public long firstFreeOffset() {
    return taken;
  }

  /** Return how many bytes are left from the next multiple of {@code alignment} of the controller's address on. */
  long freeLength(long alignment) {
    return Math.max(0, length() - aligned(alignment));
  }

  /** Take bytes for good, at a multiple of {@code alignment} of the controller's address; returns their offset. */
  long take(long bytes, long alignment) {
    long offset = aligned(alignment);
    taken = offset + bytes;
    return offset;
  }

  private long aligned(long alignment) {
    return (controllerAddress + taken + alignment - 1 & -alignment) - controllerAddress;
  }
}
