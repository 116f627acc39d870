package io.twostep.machine.linux.slot;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The registers of a BAR that is mapped whole. Opaque accesses happen once, in the width given; the fence before a write keeps earlier stores in front of it, which
 * x86-64 then does for uncached memory too.
 *
 * <p>A BAR that went away is DETACHED.
 */
public final class BarMmio implements Mmio {
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private final MemorySegment registers;
  private final String name;

  /** Wrap a mapped BAR; {@code name} appears in messages. */
  public BarMmio(MemorySegment registers, String name) {
    this.registers = registers;
    this.name = name;
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
      throw LostBar.detached(name, e);
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
      throw LostBar.detached(name, e);
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
      throw LostBar.detached(name, e);
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
      throw LostBar.detached(name, e);
    }
  }

  private void require(long offset, long width) {
    if (offset < 0 || offset > registers.byteSize() - width || (offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: access of %d bytes at 0x%x is not aligned, or not within 0x%x bytes".formatted(name, width, offset, registers.byteSize()));
    }
  }
}
