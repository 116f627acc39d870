package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.dma.spi.Mmio;

/** The controller's registers, in the widths that every controller accepts: 64-bit ones as two halves, low half first. Thread-safe. */
public final class Registers {
  private final Mmio mmio;

  /** Create a view of BAR 0. */
  public Registers(Mmio mmio) {
    this.mmio = mmio;
  }

  /** Return the register space, for doorbells. */
  public Mmio mmio() {
    return mmio;
  }

  /** Return CAP. */
  public long cap() {
    return read64(RegisterLayout.CAP.offset());
  }

  /** Return VS. */
  public int version() {
    return mmio.read32(RegisterLayout.VS.offset());
  }

  /** Return CC. */
  public int cc() {
    return mmio.read32(RegisterLayout.CC.offset());
  }

  /** Store CC. */
  public void cc(int value) {
    mmio.write32(RegisterLayout.CC.offset(), value);
  }

  /** Return CSTS. */
  public int csts() {
    return mmio.read32(RegisterLayout.CSTS.offset());
  }

  /** Store CSTS, whose only writable bits clear themselves. */
  public void csts(int value) {
    mmio.write32(RegisterLayout.CSTS.offset(), value);
  }

  /** Return CRTO. */
  public int crto() {
    return mmio.read32(RegisterLayout.CRTO.offset());
  }

  /** Tell the controller its admin queues: attributes and both bases. */
  public void adminQueues(int attributes, long submissionBase, long completionBase) {
    mmio.write32(RegisterLayout.AQA.offset(), attributes);
    write64(RegisterLayout.ASQ.offset(), submissionBase);
    write64(RegisterLayout.ACQ.offset(), completionBase);
  }

  /** Tell whether the controller no longer answers: CSTS reads all ones. */
  public boolean isGone() {
    return csts() == RegisterLayout.GONE;
  }

  private long read64(long offset) {
    long low = Integer.toUnsignedLong(mmio.read32(offset));
    return low | (long) mmio.read32(offset + 4) << 32;
  }

  private void write64(long offset, long value) {
    mmio.write32(offset, (int) value);
    mmio.write32(offset + 4, (int) (value >>> 32));
  }
}
