package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.AqaLayout;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CmbLayout;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.CstsLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.Field;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import org.jspecify.annotations.Nullable;

/** The registers of BAR 0 (Base 3.1.3): what they read, what writing them starts, and what a host must not write. */
final class Registers {
  private static final long GONE = -1L;
  private static final int CMB_UNIT = 4096;

  /** What writing registers makes the controller do. */
  interface Control {
    /** Return the machine's clock. */
    long now();

    /** Begin to work with the queues and the page size given. */
    void start(int cc, int aqa, long asq, long acq);

    /** Forget queues and commands. */
    void stop();

    /** Make everything durable. */
    void flush();

    /** Reset the whole subsystem. */
    void resetSubsystem();

    /** Take a doorbell write. */
    void ring(long offset, int value);

    /** Set interrupt masks. */
    void mask(int vectors, boolean masked);

    /** Return the interrupt masks. */
    int maskedVectors();

    /** Ask to be stepped, now or after a time. */
    void wake(long delayNanos);
  }

  private final NvmeModelConfig config;
  private final ControllerState state;
  private final HostMemory memory;
  private final Violations violations;
  private final Control control;
  private final long cap;
  private final int cmbloc;
  private final int cmbsz;

  private int aqa;
  private long asq;
  private long acq;
  private long cmbmsc;
  private boolean addressRefused;

  Registers(
      NvmeModelConfig config, ControllerState state, HostMemory memory, Violations violations, Control control) {
    this.config = config;
    this.state = state;
    this.memory = memory;
    this.violations = violations;
    this.control = control;
    cap = capabilities(config);
    cmbloc = bufferLocation(config);
    cmbsz = bufferSize(config);
  }

  /** Set the registers that survive a controller reset to their power-on values. */
  void powerOn() {
    aqa = 0;
    asq = 0;
    acq = 0;
    cmbmsc = 0;
    claimBuffer();
  }

  /** Return the length of BAR 0. */
  static long length(NvmeModelConfig config) {
    long needed = DoorbellLayout.BASE + DoorbellLayout.length(config.ioQueues(), config.doorbellStride());
    return Math.max(16384, Long.highestOneBit(needed - 1) << 1);
  }

  /** Read 4 or 8 bytes. */
  long read(long offset, int width) {
    if (width == Integer.BYTES) {
      return Integer.toUnsignedLong(read32(offset));
    }
    if (config.registers32Only()) {
      violations.add("64-bit read of register 0x" + Long.toHexString(offset));
      return GONE;
    }
    return Integer.toUnsignedLong(read32(offset)) | ((long) read32(offset + Integer.BYTES) << 32);
  }

  /** Write 4 or 8 bytes. */
  void write(long offset, int width, long value) {
    if (width == Integer.BYTES) {
      write32(offset, (int) value);
    } else if (config.registers32Only() || offset >= DoorbellLayout.BASE) {
      violations.add("64-bit write to register 0x" + Long.toHexString(offset));
    } else {
      write32(offset, (int) value);
      write32(offset + Integer.BYTES, (int) (value >>> 32));
    }
  }

  private int read32(long offset) {
    if (is(RegisterLayout.CSTS, offset)) {
      state.advance(control.now());
      return state.csts();
    }
    boolean bufferShown = CmbLayout.CRE.isSet(cmbmsc);
    return half(RegisterLayout.CAP, offset, cap)
        | half(RegisterLayout.VS, offset, IdentifyPages.VERSION)
        | half(RegisterLayout.INTMS, offset, control.maskedVectors())
        | half(RegisterLayout.INTMC, offset, control.maskedVectors())
        | half(RegisterLayout.CC, offset, state.cc())
        | half(RegisterLayout.AQA, offset, aqa)
        | half(RegisterLayout.ASQ, offset, asq)
        | half(RegisterLayout.ACQ, offset, acq)
        | half(RegisterLayout.CMBLOC, offset, bufferShown ? cmbloc : 0)
        | half(RegisterLayout.CMBSZ, offset, bufferShown ? cmbsz : 0)
        | half(RegisterLayout.CMBMSC, offset, cmbmsc)
        | half(RegisterLayout.CMBSTS, offset, CmbLayout.CBAI.with(0, addressRefused ? 1 : 0))
        | half(RegisterLayout.CRTO, offset, RegisterLayout.CRTO_CRWMT.with(0, config.readyTimeoutUnits()));
  }

  private void write32(long offset, int value) {
    if (offset >= DoorbellLayout.BASE) {
      writeDoorbell(offset, value);
    } else if (is(RegisterLayout.CC, offset)) {
      writeCc(value);
    } else if (is(RegisterLayout.CSTS, offset)) {
      if (CstsLayout.NSSRO.isSet(value)) {
        state.clearSubsystemReset();
      }
    } else if (is(RegisterLayout.NSSR, offset)) {
      if (config.subsystemReset() && value == RegisterLayout.NSSR_MAGIC) {
        control.resetSubsystem();
      }
    } else if (is(RegisterLayout.INTMS, offset)) {
      control.mask(value, true);
    } else if (is(RegisterLayout.INTMC, offset)) {
      control.mask(value, false);
    } else if (isPartOf(RegisterLayout.CMBMSC, offset)) {
      cmbmsc = withHalf(RegisterLayout.CMBMSC, offset, cmbmsc, value);
      claimBuffer();
    } else {
      writeAdminQueues(offset, value);
    }
  }

  private void writeAdminQueues(long offset, int value) {
    boolean known =
        is(RegisterLayout.AQA, offset) || isPartOf(RegisterLayout.ASQ, offset) || isPartOf(RegisterLayout.ACQ, offset);
    if (!known || state.isEnabled()) {
      violations.add(
          "write to register 0x" + Long.toHexString(offset) + (known ? " of the admin queues while enabled" : ", which is read-only"));
    } else if (is(RegisterLayout.AQA, offset)) {
      aqa = value;
    } else {
      asq = withHalf(RegisterLayout.ASQ, offset, asq, value);
      acq = withHalf(RegisterLayout.ACQ, offset, acq, value);
    }
  }

  private void writeDoorbell(long offset, int value) {
    if (!state.isReady() || !state.isEnabled()) {
      violations.add("doorbell 0x" + Long.toHexString(offset) + " while the controller is not ready");
    } else if (state.isWorking()) {
      control.ring(offset, value);
      control.wake(0);
    }
  }

  private void writeCc(int value) {
    int before = state.cc();
    boolean wasEnabled = state.isEnabled();
    boolean enable = CcLayout.EN.isSet(value);
    state.advance(control.now());
    int settings = CcLayout.SHN.with(CcLayout.EN.with(value ^ before, 0), 0);
    if (wasEnabled && enable && settings != 0) {
      violations.add("CC changed from 0x" + Integer.toHexString(before) + " to 0x" + Integer.toHexString(value) + " while enabled");
      return;
    }
    state.setCc(value);
    if (enable && !wasEnabled) {
      enable(value);
    } else if (!enable && wasEnabled) {
      control.stop();
      state.disable(control.now());
      control.wake(config.readyNanos());
    }
    if (CcLayout.SHN.isSet(value) && !CcLayout.SHN.isSet(before)) {
      control.flush();
      state.shutDown(control.now());
      control.wake(config.shutdownNanos());
    }
  }

  private void enable(int cc) {
    String wrong = wrongWith(cc);
    if (wrong != null) {
      violations.add("enabled with " + wrong);
      state.fail();
      return;
    }
    control.start(cc, aqa, asq, acq);
    state.enable(control.now());
    control.wake(config.readyNanos());
  }

  private @Nullable String wrongWith(int cc) {
    int shift = CcLayout.MPS.get(cc);
    long pageMask = (4096L << shift) - 1;
    if (state.isReady()) {
      return "CSTS.RDY still set";
    }
    if (shift < config.mpsMin() || shift > config.mpsMax()) {
      return "CC.MPS " + shift + " outside " + config.mpsMin() + " to " + config.mpsMax();
    }
    if (CcLayout.CSS.get(cc) != CcLayout.CSS_NVM || CcLayout.AMS.get(cc) != 0) {
      return "a command set or arbitration that is not supported";
    }
    if (AqaLayout.ASQS.get(aqa) == 0 || AqaLayout.ACQS.get(aqa) == 0) {
      return "an admin queue of one entry";
    }
    if (asq == 0 || acq == 0 || ((asq | acq) & pageMask) != 0) {
      return "an admin queue at no page";
    }
    boolean permitted =
        memory.permits(asq, (AqaLayout.ASQS.get(aqa) + 1L) * SqeLayout.SIZE, CmbUse.SUBMISSION_QUEUES)
            && memory.permits(acq, (AqaLayout.ACQS.get(aqa) + 1L) * CqeLayout.SIZE, CmbUse.COMPLETION_QUEUES);
    return permitted ? null : "an admin queue in a controller memory buffer that does not take queues";
  }

  private void claimBuffer() {
    memory.release();
    boolean wanted = CmbLayout.CRE.isSet(cmbmsc) && CmbLayout.CMSE.isSet(cmbmsc);
    long address = CmbLayout.CBA.get(cmbmsc) << 12;
    addressRefused = wanted && Long.compareUnsigned(address + config.cmbSize(), address) < 0;
    if (wanted && !addressRefused) {
      memory.claim(address);
    }
  }

  private static long capabilities(NvmeModelConfig config) {
    long cap = CapLayout.MQES.with(0L, config.queueEntries() - 1);
    cap = CapLayout.CQR.with(cap, 1);
    cap = CapLayout.TO.with(cap, config.readyTimeoutUnits());
    cap = CapLayout.DSTRD.with(cap, config.doorbellStride());
    cap = CapLayout.NSSRS.with(cap, config.subsystemReset() ? 1 : 0);
    cap = CapLayout.CSS.with(cap, CapLayout.CSS_NVM);
    cap = CapLayout.MPSMIN.with(cap, config.mpsMin());
    cap = CapLayout.MPSMAX.with(cap, config.mpsMax());
    cap = CapLayout.CMBS.with(cap, config.cmbSize() != 0 ? 1 : 0);
    return CapLayout.CRWMS.with(cap, 1);
  }

  private static int bufferLocation(NvmeModelConfig config) {
    int location = CmbLayout.OFST.with(CmbLayout.BIR.with(0, config.cmbBar()), (int) (config.cmbOffset() / CMB_UNIT));
    location = CmbLayout.CDMMMS.with(location, offers(config, CmbUse.MIXED_DATA));
    location = CmbLayout.CDPMLS.with(location, offers(config, CmbUse.MIXED_LISTS));
    return CmbLayout.CDPCILS.with(location, offers(config, CmbUse.LISTS_OF_ANY_COMMAND));
  }

  private static int bufferSize(NvmeModelConfig config) {
    int size = CmbLayout.SZ.with(0, (int) (config.cmbSize() / CMB_UNIT));
    size = CmbLayout.SQS.with(size, offers(config, CmbUse.SUBMISSION_QUEUES));
    size = CmbLayout.CQS.with(size, offers(config, CmbUse.COMPLETION_QUEUES));
    size = CmbLayout.LISTS.with(size, offers(config, CmbUse.LISTS));
    size = CmbLayout.RDS.with(size, offers(config, CmbUse.READ_DATA));
    return CmbLayout.WDS.with(size, offers(config, CmbUse.WRITE_DATA));
  }

  private static int offers(NvmeModelConfig config, CmbUse use) {
    return config.cmbUses().contains(use) ? 1 : 0;
  }

  private static boolean is(Field register, long offset) {
    return register.offset() == offset;
  }

  private static boolean isPartOf(Field register, long offset) {
    return offset >= register.offset() && offset < register.offset() + register.width();
  }

  /** Return the 32 bits of a register that are at {@code offset}, or 0 if none are. */
  private static int half(Field register, long offset, long value) {
    if (!isPartOf(register, offset)) {
      return 0;
    }
    return (int) (offset == register.offset() ? value : value >>> 32);
  }

  private static long withHalf(Field register, long offset, long before, int value) {
    if (!isPartOf(register, offset)) {
      return before;
    }
    return offset == register.offset()
        ? (before & ~0xffffffffL) | Integer.toUnsignedLong(value)
        : (before & 0xffffffffL) | ((long) value << 32);
  }
}
