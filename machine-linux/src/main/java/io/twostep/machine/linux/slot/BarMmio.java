package io.twostep.machine.linux.slot;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.function.Consumer;

/**
 * The registers of a BAR that is mapped whole. Opaque accesses happen once, in the width given; the fence before a write keeps earlier stores in front of it, which
 * x86-64 then does for uncached memory too.
 *
 * <p>From a BAR that went away reads return all ones, writes to it are lost, and each such access is told to whoever made this.
 */
public final class BarMmio implements Mmio {
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private final MemorySegment registers;
  private final String name;
  private final Consumer<InternalError> lost;

  /**
   * Wrap a mapped BAR.
   *
   * @param name for messages
   * @param lost told of each access to a BAR that went away, on the thread that made it
   */
  public BarMmio(MemorySegment registers, String name, Consumer<InternalError> lost) {
    this.registers = registers;
    this.name = name;
    this.lost = lost;
  }

  @Override
  public long length() {
    return registers.byteSize();
  }

  @Override
  public int read32(long offset) {
    require(offset, JAVA_INT.byteSize());
    try {
      int value = (int) INT.getOpaque(registers, offset);
      LostBar.notice();
      return value;
    } catch (InternalError e) {
      lost.accept(e);
      return -1;
    }
  }

  @Override
  public long read64(long offset) {
    require(offset, JAVA_LONG.byteSize());
    try {
      long value = (long) LONG.getOpaque(registers, offset);
      LostBar.notice();
      return value;
    } catch (InternalError e) {
      lost.accept(e);
      return -1;
    }
  }

  @Override
  public void write32(long offset, int value) {
    require(offset, JAVA_INT.byteSize());
    try {
      VarHandle.releaseFence();
      INT.setOpaque(registers, offset, value);
      LostBar.notice();
    } catch (InternalError e) {
      lost.accept(e);
    }
  }

  @Override
  public void write64(long offset, long value) {
    require(offset, JAVA_LONG.byteSize());
    try {
      VarHandle.releaseFence();
      LONG.setOpaque(registers, offset, value);
      LostBar.notice();
    } catch (InternalError e) {
      lost.accept(e);
    }
  }

  private void require(long offset, long width) {
    if (offset < 0 || offset > registers.byteSize() - width || (offset & (width - 1)) != 0) {
      throw new IndexOutOfBoundsException(
          "%s: access of %d bytes at 0x%x is not aligned, or not within 0x%x bytes".formatted(name, width, offset, registers.byteSize()));
    }
  }
}
