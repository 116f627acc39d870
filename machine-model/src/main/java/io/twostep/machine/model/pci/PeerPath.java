package io.twostep.machine.model.pci;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * One function's way to other functions' BARs: below a switch by bus address, or by what translation or the host bridge makes of an address. Under the machine's lock.
 *
 * <p>There is no way to its own: no port sends a request back where it came from, so a device must know its own memory before it asks the bus.
 */
final class PeerPath {
  /** Nobody below decodes the address, or the fabric sends it upward. */
  static final int UPWARD = -1;

  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ModelSlot self;
  private final PciFabric fabric;
  private final HostBridge bridge;
  private final BusTraffic traffic;

  PeerPath(ModelSlot self, PciFabric fabric, HostBridge bridge, BusTraffic traffic) {
    this.self = self;
    this.fabric = fabric;
    this.bridge = bridge;
    this.traffic = traffic;
  }

  /** Access a peer by bus address; returns a status, or {@link #UPWARD}. */
  int direct(long busAddress, MemorySegment buffer, long offset, long length, boolean write) {
    if (!bridge.claims(busAddress)) {
      return UPWARD;
    }
    ModelSlot target = fabric.atBusAddress(busAddress);
    if (target == self) {
      return BusMaster.UNSUPPORTED_REQUEST;
    }
    if (target == null || !fabric.carries(self, target, write)) {
      return UPWARD;
    }
    int bar = target.barAtBusAddress(busAddress);
    int status = access(target, bar, busAddress - target.bar(bar).busAddress(), buffer, offset, length, write);
    if (status == BusMaster.OK) {
      traffic.countPeer(length, true);
    }
    return status;
  }

  /** Access a peer by the physical address that arrived at the host bridge; returns a status. */
  int throughBridge(long phys, MemorySegment buffer, long offset, long length, boolean write) {
    ModelSlot target = fabric.atPhys(phys);
    if (target == null || target == self || !fabric.forwards(self, target)) {
      return BusMaster.UNSUPPORTED_REQUEST;
    }
    int bar = target.barAtPhys(phys);
    int status = access(target, bar, phys - target.bar(bar).phys(), buffer, offset, length, write);
    if (status == BusMaster.OK) {
      traffic.countPeer(length, false);
    }
    return status;
  }

  private static int access(ModelSlot target, int bar, long at, MemorySegment buffer, long offset, long length, boolean write) {
    Bar whole = target.bar(bar);
    if (length > whole.length() - at) {
      return BusMaster.UNSUPPORTED_REQUEST;
    }
    if (whole.kind() == Bar.Kind.REGISTERS) {
      return registers(Objects.requireNonNull(target.registers(bar)), at, buffer, offset, length, write);
    }
    MemorySegment memory = target.barMemory(bar);
    if (write) {
      MemorySegment.copy(buffer, offset, memory, at, length);
    } else {
      MemorySegment.copy(memory, at, buffer, offset, length);
    }
    return BusMaster.OK;
  }

  /** Access registers in whole words, as devices answer them; anything else is aborted. */
  private static int registers(ModelMmio mmio, long at, MemorySegment buffer, long offset, long length, boolean write) {
    if (((at | length) & 3) != 0) {
      return BusMaster.COMPLETER_ABORT;
    }
    for (long done = 0; done < length; ) {
      if (((at + done) & 7) == 0 && length - done >= 8) {
        if (write) {
          mmio.take(at + done, 8, buffer.get(LONG, offset + done));
        } else {
          buffer.set(LONG, offset + done, mmio.answer(at + done, 8));
        }
        done += 8;
      } else {
        if (write) {
          mmio.take(at + done, 4, buffer.get(INT, offset + done) & 0xffff_ffffL);
        } else {
          buffer.set(INT, offset + done, (int) mmio.answer(at + done, 4));
        }
        done += 4;
      }
    }
    return BusMaster.OK;
  }
}
