package io.twostep.backend.direct;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** One device, one address space, and memory that is only addresses: all of them RAM but a BAR; records cache maintenance. */
final class FakeMachine implements Machine, AddressSpace, DeviceSlot, PhysicalMemory {
  static final long LINE = 64;
  static final long PEER_FIRST = 0xe000_0000L;
  static final long PEER_LENGTH = 0x10000;

  final List<String> cacheCalls = new ArrayList<>();
  final List<OffsetWindow> windows = new ArrayList<>();
  Translation translation = Translation.NONE;
  long busLimit = -1L;
  boolean trusted = true;
  boolean coherent = true;

  private final SpaceOwner owner = new SpaceOwner();
  private final MemoryRegion ram = new MemoryRegion(MemoryKind.RAM, "ram");
  private final MemoryRegion peer = new MemoryRegion(MemoryKind.PEER, "peer BAR");

  AttachContext context(DeviceLimits limits) {
    return new AttachContext(this, this, this, limits, -1);
  }

  @Override
  public String name() {
    return "group 7";
  }

  @Override
  public PhysicalMemory memory() {
    return this;
  }

  @Override
  public List<DeviceSlot> slots() {
    return List.of(this);
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return this;
  }

  @Override
  public Translation translation() {
    return translation;
  }

  @Override
  public SpaceOwner owner() {
    return owner;
  }

  @Override
  public List<DeviceSlot> members() {
    return List.of(this);
  }

  @Override
  public List<AddressRange> reserved() {
    return List.of();
  }

  @Override
  public List<OffsetWindow> offsetWindows() {
    return windows;
  }

  @Override
  public long busLimit() {
    return busLimit;
  }

  @Override
  public DeviceAddress address() {
    return new DeviceAddress("0000:01:00.0");
  }

  @Override
  public boolean trusted() {
    return trusted;
  }

  @Override
  public boolean coherent() {
    return coherent;
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    boolean inPeer = Long.compareUnsigned(phys - PEER_FIRST, PEER_LENGTH) < 0;
    return inPeer ? peer : ram;
  }

  @Override
  public long cacheLine() {
    return LINE;
  }

  @Override
  public void cleanCache(long phys, long length) {
    cacheCalls.add("clean 0x%x+0x%x".formatted(phys, length));
  }

  @Override
  public void invalidateCache(long phys, long length) {
    cacheCalls.add("invalidate 0x%x+0x%x".formatted(phys, length));
  }

  @Override
  public long frameSize() {
    return 4096;
  }

  @Override
  public long highestAddress() {
    return (1L << 40) - 1;
  }

  @Override
  public void close() {}

  private static UnsupportedOperationException notHere() {
    return new UnsupportedOperationException("not part of this fake");
  }

  @Override
  public Iommu iommu() {
    throw notHere();
  }

  @Override
  public Timers timers() {
    throw notHere();
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    throw notHere();
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    throw notHere();
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    throw notHere();
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    throw notHere();
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    throw notHere();
  }

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    throw notHere();
  }

  @Override
  public ConfigSpace config() {
    throw notHere();
  }

  @Override
  public Bar bar(int bar) {
    throw notHere();
  }

  @Override
  public Mmio mmio(int bar) {
    throw notHere();
  }

  @Override
  public MemorySegment memory(int bar) {
    throw notHere();
  }

  @Override
  public Interrupts interrupts() {
    throw notHere();
  }

  @Override
  public void busMaster(boolean enabled) {
    throw notHere();
  }

  @Override
  public void reset() {
    throw notHere();
  }
}
