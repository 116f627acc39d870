package io.twostep.device.rdma.umem;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaSink;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import java.util.Arrays;

/** Adjacent pages of a window that are linked in one call with one sync, then set in the device's table. Reused; used by one thread at a time. */
final class LinkBatch implements PhysRanges, DmaSink {
  private final SparseWindow window;
  private final DevicePageTable table;
  private final boolean translates;
  private long[] phys = new long[16];
  private long[] bytes = new long[16];
  private int count;
  private int next;
  private long offset;
  private long length;
  private DmaDirection access = DmaDirection.TO_DEVICE;

  /** Where nothing translates: what the linked units' addresses are, joined. */
  private long[] address = new long[16];

  private long[] addressBytes = new long[16];
  private int addresses;

  LinkBatch(SparseWindow window, DevicePageTable table, boolean translates) {
    this.window = window;
    this.table = table;
    this.translates = translates;
  }

  boolean isEmpty() {
    return count == 0;
  }

  long offset() {
    return offset;
  }

  long length() {
    return length;
  }

  DmaDirection access() {
    return access;
  }

  void clear() {
    count = 0;
    length = 0;
    addresses = 0;
  }

  /** Start with pages; the batch is empty. */
  void start(long at, long firstPhys, long pages, DmaDirection permission) {
    offset = at;
    access = permission;
    append(firstPhys, pages);
  }

  /** Add pages if they follow those in the batch with the same permission. */
  boolean tryAdd(long at, long firstPhys, long pages, DmaDirection permission) {
    if (count == 0 || at != offset + length || permission != access) {
      return false;
    }
    append(firstPhys, pages);
    return true;
  }

  private void append(long firstPhys, long pages) {
    if (count == phys.length) {
      phys = Arrays.copyOf(phys, count * 2);
      bytes = Arrays.copyOf(bytes, count * 2);
    }
    phys[count] = firstPhys;
    bytes[count++] = pages;
    length += pages;
  }

  /** Link the pages and make them usable; nothing is linked if that fails, unless that could not be undone. */
  void link() {
    addresses = 0;
    if (translates && count == 1) {
      window.link(offset, phys[0], bytes[0], access);
    } else {
      window.link(offset, this, access, translates ? null : this);
    }
  }

  /** Set the device's entries of what was linked. */
  void setEntries() {
    if (translates) {
      table.set(offset, length, window.address() + offset, access);
      return;
    }
    long at = offset;
    for (int i = 0; i < addresses; i++) {
      table.set(at, addressBytes[i], address[i], access);
      at += addressBytes[i];
    }
  }

  @Override
  public void rewind() {
    next = 0;
  }

  @Override
  public int fill(long[] physOut, long[] lengthOut) {
    int filled = Math.min(physOut.length, count - next);
    System.arraycopy(phys, next, physOut, 0, filled);
    System.arraycopy(bytes, next, lengthOut, 0, filled);
    next += filled;
    return filled;
  }

  @Override
  public boolean accept(long dmaAddress, long unit, int kind) {
    int last = addresses - 1;
    if (addresses > 0 && address[last] + addressBytes[last] == dmaAddress) {
      addressBytes[last] += unit;
      return true;
    }
    if (addresses == address.length) {
      address = Arrays.copyOf(address, addresses * 2);
      addressBytes = Arrays.copyOf(addressBytes, addresses * 2);
    }
    address[addresses] = dmaAddress;
    addressBytes[addresses++] = unit;
    return true;
  }
}
