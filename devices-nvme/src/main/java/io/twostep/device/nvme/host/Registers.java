package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.CmbLayout;
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

  /** Return CMBLOC. */
  public int bufferLocation() {
    return mmio.read32(RegisterLayout.CMBLOC.offset());
  }

  /** Return CMBSZ. */
  public int bufferSize() {
    return mmio.read32(RegisterLayout.CMBSZ.offset());
  }

  /** Let CMBLOC and CMBSZ be read. */
  public void showBuffer() {
    mmio.write32(RegisterLayout.CMBMSC.offset(), CmbLayout.CRE.with(0, 1));
  }

  /**
   * Have the controller claim its memory buffer at {@code address}; returns whether it does.
   *
   * <p>The half that starts the claim goes last, so that no half-written address is claimed.
   */
  public boolean tryClaimBuffer(long address) {
    long offset = RegisterLayout.CMBMSC.offset();
    mmio.write32(offset, CmbLayout.CRE.with(0, 1));
    mmio.write32(offset + 4, (int) (address >>> 32));
    mmio.write32(offset, (int) address | CmbLayout.CRE.with(CmbLayout.CMSE.with(0, 1), 1));
    return !CmbLayout.CBAI.isSet(mmio.read32(RegisterLayout.CMBSTS.offset()));
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
