package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;

/** What the controller reaches by address: the bus, and the range that its own memory buffer claims. */
final class HostMemory {
  private static final int HERE = 1;
  private static final int ELSEWHERE = 2;

  private final MemorySegment buffer;
  private final Set<CmbUse> uses;
  private BusMaster bus = Unplugged.INSTANCE;
  private boolean claiming;
  private long claimed;
  private boolean commandHere;
  private int data;
  private int lists;

  /** Create the memory with the buffer given, empty for none. */
  HostMemory(MemorySegment buffer, Set<CmbUse> uses) {
    this.buffer = buffer;
    this.uses = uses.isEmpty() ? EnumSet.noneOf(CmbUse.class) : EnumSet.copyOf(uses);
  }

  void connect(BusMaster master) {
    bus = master;
  }

  /** Claim the bus addresses of the buffer, from {@code dmaAddress} on. */
  void claim(long dmaAddress) {
    claiming = buffer.byteSize() != 0;
    claimed = dmaAddress;
  }

  void release() {
    claiming = false;
  }

  /** Begin a command of the queue at {@code dmaAddress}: where its data and lists lie says nothing about those of commands before. */
  void beginCommand(long dmaAddress) {
    commandHere = claiming && touchesBuffer(dmaAddress, 1);
    data = 0;
    lists = 0;
  }

  /** Tell whether a range may serve {@code use} of the command: any but one that touches the buffer without being allowed to, beside what was asked for before. */
  boolean permits(long dmaAddress, long length, CmbUse use) {
    boolean here = claiming && touchesBuffer(dmaAddress, length);
    if (here && !(uses.contains(use) && isInBuffer(dmaAddress, length))) {
      return false;
    }
    return switch (use) {
      case READ_DATA, WRITE_DATA -> permitsData(here);
      case LISTS -> permitsList(here);
      default -> true;
    };
  }

  private boolean permitsData(boolean here) {
    data |= here ? HERE : ELSEWHERE;
    return data != (HERE | ELSEWHERE) || uses.contains(CmbUse.MIXED_DATA);
  }

  private boolean permitsList(boolean here) {
    lists |= here ? HERE : ELSEWHERE;
    boolean placed = !here || commandHere || uses.contains(CmbUse.LISTS_OF_ANY_COMMAND);
    return placed && (lists != (HERE | ELSEWHERE) || uses.contains(CmbUse.MIXED_LISTS));
  }

  /** Read; returns a {@link BusMaster} status. */
  int read(long dmaAddress, MemorySegment target, long offset, long length) {
    if (claiming && isInBuffer(dmaAddress, length)) {
      MemorySegment.copy(buffer, dmaAddress - claimed, target, offset, length);
      return BusMaster.OK;
    }
    return bus.read(dmaAddress, target, offset, length);
  }

  /** Write; returns a {@link BusMaster} status. */
  int write(long dmaAddress, MemorySegment source, long offset, long length) {
    if (claiming && isInBuffer(dmaAddress, length)) {
      MemorySegment.copy(source, offset, buffer, dmaAddress - claimed, length);
      return BusMaster.OK;
    }
    return bus.write(dmaAddress, source, offset, length);
  }

  private boolean isInBuffer(long dmaAddress, long length) {
    long offset = dmaAddress - claimed;
    return offset >= 0 && offset <= buffer.byteSize() && length <= buffer.byteSize() - offset;
  }

  private boolean touchesBuffer(long dmaAddress, long length) {
    long offset = dmaAddress - claimed;
    return Long.compareUnsigned(offset, buffer.byteSize()) < 0 || Long.compareUnsigned(-offset, length) < 0;
  }
}
