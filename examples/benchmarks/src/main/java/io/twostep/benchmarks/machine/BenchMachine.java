package io.twostep.benchmarks.machine;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * The least machine: a window of physical addresses that nobody dereferences, table memory, one device.
 *
 * <p>Frames lie from 4 GiB to 68 GiB; table pages come from real memory at 1 TiB.
 */
public final class BenchMachine implements Machine {
  /** Physical address of the first frame. */
  public static final long FIRST_FRAME = 4L << 30;
  /** Frames of 4 KiB, one behind the other. */
  public static final long FRAMES = (64L << 30) / 4096;
  private static final long TABLE_BASE = 1L << 40;
  private static final long TABLE_BYTES = 64L << 20;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment tables;
  private final Memory memory;
  private final DeviceSlot slot = new BareSlot("bench");
  private final Space space;

  private BenchMachine(AddressSpace.Translation translation, String format, long tableBytes) {
    tables = map(tableBytes, arena);
    memory = new Memory(tableBytes);
    space = new Space(translation, new CountingIommu(format, tables, TABLE_BASE));
  }

  /**
   * Make table memory of the kind that the modelled machine has, a mapped file.
   *
   * <p>A process drives one kind of machine. With two, each access to a table must first find out which kind of segment it goes to, which a link pays for with a fifth of its time.
   */
  private static MemorySegment map(long bytes, Arena arena) {
    try {
      Path file = Files.createTempFile("twostep-tables-", ".bin");
      try (FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.SPARSE, StandardOpenOption.DELETE_ON_CLOSE)) {
        return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no sparse file of " + bytes + " bytes for page tables in the temporary directory", e);
    }
  }

  /** Make a machine with an IOMMU that reads one format. */
  public static BenchMachine translated(String format) {
    return translated(format, TABLE_BYTES);
  }

  /** Make a machine with an IOMMU that reads one format, and with so much memory for tables. */
  public static BenchMachine translated(String format, long tableBytes) {
    return new BenchMachine(AddressSpace.Translation.TRANSLATED, format, tableBytes);
  }

  /** Make a machine without an IOMMU. */
  public static BenchMachine untranslated() {
    return new BenchMachine(AddressSpace.Translation.NONE, "none", TABLE_BYTES);
  }

  /** Return the translation hardware. */
  public CountingIommu counters() {
    return space.iommu;
  }

  /** Return the physical address that a device reaches at an address that is mapped. */
  long resolve(long dmaAddress) {
    return space.translation == AddressSpace.Translation.TRANSLATED ? space.iommu.walk(dmaAddress) : dmaAddress;
  }

  @Override
  public String name() {
    return "bench";
  }

  @Override
  public PhysicalMemory memory() {
    return memory;
  }

  @Override
  public List<DeviceSlot> slots() {
    return List.of(slot);
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot of) {
    return space;
  }

  @Override
  public Timers timers() {
    return new WallClock();
  }

  @Override
  public void close() {
    arena.close();
  }

  private final class Memory implements PhysicalMemory {
    private final MemoryRegion frames = new MemoryRegion(MemoryKind.RAM, "frames", FIRST_FRAME, FRAMES * 4096);
    private final MemoryRegion tablePages;
    private final long tableBytes;
    private long next;

    private Memory(long tableBytes) {
      this.tableBytes = tableBytes;
      tablePages = new MemoryRegion(MemoryKind.RAM, "tables", TABLE_BASE, tableBytes);
    }

    @Override
    public long frameSize() {
      return 4096;
    }

    @Override
    public long highestAddress() {
      return TABLE_BASE + tableBytes - 1;
    }

    @Override
    public MemoryRegion regionOf(long phys, long length) {
      long offset = phys - FIRST_FRAME;
      if (offset >= 0 && length <= FRAMES * 4096 - offset) {
        return frames;
      }
      offset = phys - TABLE_BASE;
      return offset >= 0 && length <= tableBytes - offset ? tablePages : MemoryRegion.ABSENT;
    }

    @Override
    public synchronized MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
      long alignment = Math.max(4096, Long.highestOneBit(2 * length - 1));
      long at = next + alignment - 1 & -alignment;
      next = at + length;
      return new Block(at, length);
    }

    @Override
    public MemorySegment segment(long phys, long length) {
      return tables.asSlice(phys - TABLE_BASE, length);
    }

    @Override
    public void read(long phys, MemorySegment target, long offset, long length) {
      MemorySegment.copy(tables, phys - TABLE_BASE, target, offset, length);
    }

    @Override
    public void write(long phys, MemorySegment source, long offset, long length) {
      MemorySegment.copy(source, offset, tables, phys - TABLE_BASE, length);
    }

    @Override
    public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
      return -1;
    }

    @Override
    public long cacheLine() {
      return 64;
    }

    @Override
    public void cleanCache(long phys, long length) {}

    @Override
    public void invalidateCache(long phys, long length) {}

    @Override
    public AutoCloseable beforeReuse(Runnable flush) {
      return () -> {};
    }
  }

  private final class Block implements MemoryBlock {
    private final long at;
    private final long length;

    private Block(long at, long length) {
      this.at = at;
      this.length = length;
    }

    @Override
    public long length() {
      return length;
    }

    @Override
    public MemorySegment segment() {
      return tables.asSlice(at, length);
    }

    @Override
    public PhysRanges ranges() {
      throw new IllegalStateException("table memory is used by address");
    }

    @Override
    public long phys(long offset) {
      return TABLE_BASE + at + offset;
    }

    @Override
    public void close() {}
  }

  private final class Space implements AddressSpace {
    private final SpaceOwner owner = new SpaceOwner();
    private final Translation translation;
    private final CountingIommu iommu;

    private Space(Translation translation, CountingIommu iommu) {
      this.translation = translation;
      this.iommu = iommu;
    }

    @Override
    public String name() {
      return "bench";
    }

    @Override
    public Translation translation() {
      return translation;
    }

    @Override
    public Iommu iommu() {
      return iommu;
    }

    @Override
    public SpaceOwner owner() {
      return owner;
    }

    @Override
    public List<DeviceSlot> members() {
      return List.of(slot);
    }

    @Override
    public List<AddressRange> reserved() {
      return List.of();
    }
  }

  private static final class WallClock implements Timers {
    @Override
    public long nanoTime() {
      return System.nanoTime();
    }

    @Override
    public Timer schedule(long delayNanos, Runnable task) {
      return () -> true;
    }

    @Override
    public void pause(int times) {
      Thread.onSpinWait();
    }
  }
}
