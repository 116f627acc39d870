package io.twostep.machine.model.pci;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.OffsetWindow;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the bus sees of the machine: windows for BARs, the interrupt window, and how inbound addresses become physical ones.
 *
 * <p>BARs have a bus address, which functions use among each other, and a physical address, which the CPU uses; the two never agree, so that mixing them up
 * shows. Windows: 32-bit BARs at bus 0xc0000000 (512 MiB), larger ones at bus 0x200000000000 (1 TiB); the CPU sees bus address x at x + 0x100000000000.
 */
public final class HostBridge {
  static final AddressRange MSI = new AddressRange(0xfee0_0000L, 0xfeef_ffffL, "interrupt window");
  static final AddressRange WINDOW_32 = new AddressRange(0xc000_0000L, 0xdfff_ffffL, "host bridge, 32-bit BARs");
  static final AddressRange WINDOW_64 = new AddressRange(0x2000_0000_0000L, 0x20ff_ffff_ffffL, "host bridge, 64-bit BARs");

  /** The most bytes of a BAR that goes into the 32-bit window. */
  static final long LARGEST_32 = 1L << 26;

  /** What turns bus addresses into physical ones where the tree says nothing else. */
  static final long BUS_TO_PHYS = 0x1000_0000_0000L;
  private static final long SMALLEST_STEP = 1L << 12;

  private final List<AddressRange> reserved = List.of(MSI, WINDOW_32, WINDOW_64);
  private final List<OffsetWindow> inbound;
  private final long busLimit;
  private final TreeMap<Long, Long> taken = new TreeMap<>();

  /** Create a bridge. */
  public HostBridge(List<OffsetWindow> inbound, long busLimit) {
    this.inbound = List.copyOf(inbound);
    this.busLimit = busLimit;
  }

  List<AddressRange> reserved() {
    return reserved;
  }

  List<OffsetWindow> inboundWindows() {
    return inbound;
  }

  long busLimit() {
    return busLimit;
  }

  /** Tell whether an address is one of interrupts, which never reach memory or translation. */
  boolean signals(long busAddress) {
    return in(MSI, busAddress);
  }

  /** Tell whether an address lies where BARs are. */
  boolean claims(long busAddress) {
    return in(WINDOW_32, busAddress) || in(WINDOW_64, busAddress);
  }

  /** Return the physical address of an untranslated inbound address, or REFUSED. */
  long inbound(long busAddress) {
    if (inbound.isEmpty()) {
      return busAddress;
    }
    for (int i = 0; i < inbound.size(); i++) {
      OffsetWindow window = inbound.get(i);
      long offset = busAddress - window.firstDmaAddress();
      if (offset >= 0 && offset < window.length()) {
        return window.firstPhys() + offset;
      }
    }
    return ModelSpace.REFUSED;
  }

  /** Find room for a BAR, aligned to its length; returns its bus address. */
  synchronized long place(String device, long length) {
    AddressRange window = length <= LARGEST_32 ? WINDOW_32 : WINDOW_64;
    long step = Math.max(length, SMALLEST_STEP);
    long at = window.first();
    while (at + length - 1 <= window.last() && at + length > at) {
      Map.Entry<Long, Long> blocking = taken.lowerEntry(at + step);
      if (blocking == null || blocking.getKey() + blocking.getValue() <= at) {
        taken.put(at, step);
        return at;
      }
      at = (blocking.getKey() + blocking.getValue() + step - 1) & -step;
    }
    throw new DmaMappingException(
        Reason.NOT_BACKED, device + ": no room for a BAR of " + length + " bytes in " + window + "; unplug devices or use smaller BARs");
  }

  synchronized void release(long busAddress) {
    taken.remove(busAddress);
  }

  private static boolean in(AddressRange range, long address) {
    return Long.compareUnsigned(address - range.first(), range.last() - range.first()) <= 0;
  }
}
