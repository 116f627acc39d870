package io.twostep.backend.p2p;

import io.twostep.dma.DmaSink;
import java.util.ArrayList;
import java.util.List;

/** A sink that keeps what it is given. */
final class Entries implements DmaSink {
  record Entry(long dmaAddress, long length, int kind) {}

  final List<Entry> list = new ArrayList<>();

  @Override
  public boolean accept(long dmaAddress, long length, int kind) {
    list.add(new Entry(dmaAddress, length, kind));
    return true;
  }

  int[] kinds() {
    return list.stream().mapToInt(Entry::kind).toArray();
  }

  long address(int i) {
    return list.get(i).dmaAddress();
  }
}
