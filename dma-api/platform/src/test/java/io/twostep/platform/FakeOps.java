package io.twostep.platform;

import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.List;

/** Maps every address to itself. */
record FakeOps(List<String> journal, String name) implements DmaOps {
  @Override
  public String device() {
    return name;
  }

  @Override
  public long granule() {
    return 1;
  }

  @Override
  public long unit() {
    return 1;
  }

  @Override
  public boolean translates() {
    return false;
  }

  @Override
  public boolean reaches(long phys, long length) {
    return true;
  }

  @Override
  public int classify(long phys, long length) {
    return RangeKind.LOCAL;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    state.dmaAddress = phys;
    state.length = length;
    state.flags = flags | MapFlags.NEEDS_UNMAP;
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    journal.add("unmap " + name);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    throw new UnsupportedOperationException("nothing translates");
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    throw new UnsupportedOperationException("nothing translates");
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    throw new UnsupportedOperationException("nothing translates");
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {}

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    throw new UnsupportedOperationException("nothing translates");
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    throw new UnsupportedOperationException("nothing translates");
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {}

  @Override
  public long physOf(MappingState state, long offset) {
    return state.dmaAddress + offset;
  }

  @Override
  public void close() {
    journal.add("detach " + name);
  }
}
