package io.twostep.dma;

import io.twostep.dma.fake.Rig;
import java.util.ArrayList;
import java.util.List;

/** A sink that keeps what it is given. */
final class Entries implements DmaSink {
  record Entry(long dmaAddress, long length, int kind) {}

  final List<Entry> list = new ArrayList<>();
  int refuseAt = -1;
  int refusals;

  @Override
  public boolean accept(long dmaAddress, long length, int kind) {
    if (list.size() == refuseAt) {
      refusals++;
      return false;
    }
    list.add(new Entry(dmaAddress, length, kind));
    return true;
  }

  long bytes() {
    return list.stream().mapToLong(Entry::length).sum();
  }

  /** Return the address the device uses for a byte of the request. */
  long addressOf(long offset) {
    long at = 0;
    for (Entry entry : list) {
      if (offset < at + entry.length()) {
        return entry.dmaAddress() + (offset - at);
      }
      at += entry.length();
    }
    throw new IndexOutOfBoundsException("no byte " + offset + " of " + at);
  }

  byte[] readAll(Rig rig) {
    byte[] bytes = new byte[Math.toIntExact(bytes())];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = rig.deviceRead(addressOf(i));
    }
    return bytes;
  }
}
