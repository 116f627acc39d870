package io.twostep.device.vfio.guest;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a guest: addresses from 0, frames wherever they were free.
 *
 * <p>Writes by the guest's CPU go through here and are noted while asked for; writes by devices are for those to note who translate or make them. Used by one thread at a time.
 */
public final class GuestMemory implements AutoCloseable {
  /** Bytes of a page: the piece in which memory is copied and noted. */
  public static final long PAGE = 4096;

  private static final VarHandle INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private final MemoryBlock block;
  private final MemorySegment segment;
  private @Nullable DirtyBitmap log;

  /**
   * Create zeroed memory.
   *
   * @param length bytes, whole pages
   * @throws io.twostep.dma.DmaMappingException NOT_BACKED if the machine has not enough
   */
  public GuestMemory(PhysicalMemory memory, long length) {
    if (length <= 0 || length % PAGE != 0) {
      throw new IllegalArgumentException("a guest's memory of " + length + " bytes must be whole pages of " + PAGE);
    }
    block = memory.allocate(length, MemoryPlacement.SCATTERED);
    segment = block.segment();
  }

  /** Return the bytes of the memory. */
  public long length() {
    return block.length();
  }

  /** Return the machine's memory that it is. */
  public MemoryBlock block() {
    return block;
  }

  /** Return the memory to read; what is written here is not noted. */
  public MemorySegment segment() {
    return segment;
  }

  /** Return a clean bitmap of the guest's pages. */
  public DirtyBitmap newBitmap() {
    return new DirtyBitmap(0, length(), PAGE);
  }

  /** Note every write by the CPU from now on. */
  public void startLog() {
    log = newBitmap();
  }

  /** Mark in {@code into} the pages that the CPU wrote since the last time, or since the start. */
  public void collect(DirtyBitmap into) {
    DirtyBitmap noted = log;
    if (noted != null) {
      for (long page = noted.nextDirty(0); page != DirtyBitmap.NONE; page = page + PAGE < length() ? noted.nextDirty(page + PAGE) : DirtyBitmap.NONE) {
        into.mark(page, PAGE);
      }
      noted.clear();
    }
  }

  /** Note nothing more. */
  public void stopLog() {
    log = null;
  }

  private void note(long address, long length) {
    if (log != null) {
      log.mark(address, length);
    }
  }

  /** Read 32 bits with acquire order: what is read afterwards is at least as new. */
  public int getIntAcquire(long address) {
    return (int) INT.getAcquire(segment, address);
  }

  /** Read 32 bits. */
  public int getInt(long address) {
    return segment.get(CommandLayout.U32, address);
  }

  /** Write 32 bits as the guest's CPU. */
  public void setInt(long address, int value) {
    segment.set(CommandLayout.U32, address, value);
    note(address, Integer.BYTES);
  }

  /** Write bytes as the guest's CPU. */
  public void write(long address, MemorySegment source, long offset, long length) {
    MemorySegment.copy(source, offset, segment, address, length);
    note(address, length);
  }

  /** Let {@code fill} write a range as the guest's CPU. */
  public void fill(long address, long length, Consumer<MemorySegment> fill) {
    fill.accept(segment.asSlice(address, length));
    note(address, length);
  }

  /**
   * Give the memory back.
   *
   * @throws IllegalStateException while a device's mapping holds it
   */
  @Override
  public void close() {
    block.close();
  }
}
