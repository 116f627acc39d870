package io.twostep.machine.model.pci;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.memory.CacheView;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.memory.PhysicalLayout;
import io.twostep.machine.model.run.MachineLock;
import java.lang.foreign.MemorySegment;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A function's way to memory: page by page through its address space, under its own address as requester.
 *
 * <p>Thread-safe: takes the machine's lock, so that a test may drive it from any thread.
 */
final class ModelBus implements BusMaster {
  private static final int PAGE = PhysicalLayout.FRAME_SIZE;

  private final ModelSlot slot;
  private final DeviceAddress device;
  private final ModelSpace space;
  private final ModelMemory memory;
  private final PhysicalLayout layout;
  private final MemorySegment storage;
  private final CacheView cache;
  private final MachineLock lock;
  private final BusTraffic traffic;
  private final @Nullable PeerPath peers;
  private final boolean coherent;
  private final Predicate<FailNth.Kind> fails;

  ModelBus(
      ModelSlot slot,
      ModelSpace space,
      ModelMemory memory,
      MachineLock lock,
      BusTraffic traffic,
      @Nullable PeerPath peers,
      boolean coherent,
      Predicate<FailNth.Kind> fails) {
    this.slot = slot;
    this.device = slot.address();
    this.space = space;
    this.memory = memory;
    this.layout = memory.layout();
    this.storage = memory.storage();
    this.cache = memory.cache();
    this.lock = lock;
    this.traffic = traffic;
    this.peers = peers;
    this.coherent = coherent;
    this.fails = fails;
  }

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    requireFits("read", dmaAddress, target, offset, length);
    lock.enter();
    try {
      if (!slot.masters()) {
        traffic.countNotMaster();
        return NOT_MASTER;
      }
      return fails.test(FailNth.Kind.BUS_READ) ? COMPLETER_ABORT : transfer(dmaAddress, target, offset, length, false);
    } finally {
      lock.exit();
    }
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    requireFits("write", dmaAddress, source, offset, length);
    lock.enter();
    try {
      if (!slot.masters()) {
        traffic.countNotMaster();
        return NOT_MASTER;
      }
      return fails.test(FailNth.Kind.BUS_WRITE) ? COMPLETER_ABORT : transfer(dmaAddress, source, offset, length, true);
    } finally {
      lock.exit();
    }
  }

  /** Refuse what the model did wrong, which is not the bus's to answer. */
  private void requireFits(String what, long dmaAddress, MemorySegment buffer, long offset, long length) {
    if (offset < 0 || length < 0 || length > buffer.byteSize() - offset) {
      throw new IndexOutOfBoundsException(
          "%s: %s of %d bytes at 0x%x does not fit the segment: offset %d of %d bytes"
              .formatted(device, what, length, dmaAddress, offset, buffer.byteSize()));
    }
  }

  private int transfer(long dmaAddress, MemorySegment buffer, long offset, long length, boolean write) {
    if (length > 0 && Long.compareUnsigned(dmaAddress + length - 1, dmaAddress) < 0) {
      return UNSUPPORTED_REQUEST;
    }
    traffic.count(length, write);
    long at = dmaAddress;
    long from = offset;
    long left = length;
    while (left > 0) {
      long piece = Math.min(left, PAGE - (at & (PAGE - 1)));
      int peer = peers == null ? PeerPath.UPWARD : peers.direct(at, buffer, from, piece, write);
      if (peer == PeerPath.UPWARD) {
        long phys = space.resolve(at, write, device);
        if (phys == ModelSpace.REFUSED) {
          return UNSUPPORTED_REQUEST;
        }
        if (layout.holds(phys)) {
          memory(phys, buffer, from, piece, write);
        } else {
          peer = peers == null ? UNSUPPORTED_REQUEST : peers.throughBridge(phys, buffer, from, piece, write);
        }
      }
      if (peer > OK) {
        if (peer == UNSUPPORTED_REQUEST && peers != null) {
          space.refuse(at, write, device);
        }
        return peer;
      }
      at += piece;
      from += piece;
      left -= piece;
    }
    return OK;
  }

  private void memory(long phys, MemorySegment buffer, long from, long piece, boolean write) {
    long stored = memory.locate(phys);
    if (stored < 0) {
      stray(phys, write);
      stored = ~stored;
    }
    if (!coherent) {
      copyPastCaches(phys, buffer, from, piece, write);
    } else if (write) {
      MemorySegment.copy(buffer, from, storage, stored, piece);
      if (cache.active()) {
        cache.snoopedWrite(phys, piece);
      }
    } else {
      MemorySegment.copy(storage, stored, buffer, from, piece);
    }
  }

  private void copyPastCaches(long phys, MemorySegment buffer, long offset, long length, boolean write) {
    if (write) {
      cache.deviceWrite(phys, buffer, offset, length);
    } else {
      cache.deviceRead(phys, buffer, offset, length);
    }
  }

  private void stray(long phys, boolean write) {
    traffic.countStray();
    if (write) {
      memory.strayWrite(phys);
    }
  }
}
