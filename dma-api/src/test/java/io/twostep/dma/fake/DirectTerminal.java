package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/** A terminal without translation: DMA address = physical address + a constant. */
public final class DirectTerminal extends FakeTerminal {
  public static final long OFFSET = 0x8000_0000L;

  private static final int AT_ONCE = 3;

  public DirectTerminal(Faults faults) {
    super(faults);
  }

  @Override
  public String name() {
    return "fake-direct";
  }

  @Override
  public int granulesUsed() {
    return 0;
  }

  @Override
  public DeviceView view(AddressSpace space) {
    return (dmaAddress, access) -> dmaAddress - OFFSET;
  }

  @Override
  DmaOps makeOps(AttachContext context) {
    return new DirectOps(context);
  }

  private final class DirectOps extends Ops {
    DirectOps(AttachContext context) {
      super(context);
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
      return Long.compareUnsigned(phys + OFFSET + length - 1, context.highestAddress()) <= 0;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      faults.hit("map");
      if ((flags & MapFlags.WINDOW) == 0) {
        used(state);
      }
      requireMemory(phys, length, flags);
      if (!reaches(phys, length)) {
        throw refuse(Reason.OUT_OF_REACH, "0x" + Long.toHexString(phys) + " is beyond the device");
      }
      state.dmaAddress = phys + OFFSET;
      state.length = length;
      state.flags = flags;
    }

    /** Map what the device reaches, at most three ranges a call: a terminal may stop where it likes. */
    @Override
    public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
      faults.hit("mapInPlace");
      int i = from;
      while (i < Math.min(to, from + AT_ONCE) && reaches(phys[i], length[i])) {
        requireMemory(phys[i], length[i], flags);
        dmaAddress[i] = phys[i] + OFFSET;
        i++;
      }
      return i - from;
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      throw new AssertionError("unmap of a mapping that does not need it");
    }

    @Override
    public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
      throw new AssertionError("reserve without translation");
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      throw new AssertionError("link without translation");
    }

    @Override
    public void linkRun(
        MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      throw new AssertionError("link without translation");
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      throw new AssertionError("publish without translation");
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      throw new AssertionError("unlink without translation");
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      throw new AssertionError("release without translation");
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      throw new AssertionError("sync of a mapping that does not need it");
    }

    @Override
    public long physOf(MappingState state, long offset) {
      return state.dmaAddress - OFFSET + offset;
    }
  }
}
