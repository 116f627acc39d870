package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Registers;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.CstsLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.HostMemoryBufferLayout;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.IdentifyControllerLayout;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMappingException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The steps that start and stop a controller, each as the specification orders it (Base 3.5, PCIe 3.1). One thread at a time. */
final class BringUp {
  private static final Logger LOG = LoggerFactory.getLogger(BringUp.class);
  private static final long HALF_SECOND = 500_000_000L;

  private final ControllerCore core;
  private final Registers registers;
  private final AdminQueue admin;

  BringUp(ControllerCore core) {
    this.core = core;
    registers = core.registers();
    admin = core.admin();
  }

  /**
   * Stop the controller so that it touches no memory: disable it, and reset the function if that does not help.
   *
   * @return false if it could not be proved; the bus is then closed to it
   */
  boolean tryStop() {
    if (!registers.isGone() && (tryDisable() || tryReset())) {
      return true;
    }
    core.cutOff();
    return false;
  }

  /** Returns false also if the function cannot be reset. */
  private boolean tryReset() {
    try {
      core.slot().reset();
      core.slot().busMaster(true);
    } catch (DmaMappingException e) {
      LOG.warn("{}: the controller does not stop, and cannot be reset: {}", core.name(), e.getMessage());
      return false;
    }
    return !registers.isGone() && tryDisable();
  }

  private boolean tryDisable() {
    if (CstsLayout.NSSRO.isSet(registers.csts())) {
      registers.csts(CstsLayout.NSSRO.with(0, 1));
    }
    int cc = registers.cc();
    registers.cc(CcLayout.SHN.with(CcLayout.EN.with(cc, 0), CcLayout.SHN_NONE));
    long cap = registers.cap();
    return awaitStatus(CstsLayout.RDY, 0, (CapLayout.TO.get(cap) + 1) * HALF_SECOND);
  }

  /** Start the stopped controller with its admin queue. */
  void start() {
    long cap = registers.cap();
    long css = CapLayout.CSS.get(cap);
    if ((css & (CapLayout.CSS_NVM | CapLayout.CSS_IOCSS)) == 0) {
      throw protocol("the controller has no NVM command set (CAP.CSS 0x" + Long.toHexString(css) + ")");
    }
    admin.start();
    int cc = CcLayout.CSS.with(0, (css & CapLayout.CSS_IOCSS) != 0 ? CcLayout.CSS_ALL : CcLayout.CSS_NVM);
    cc = CcLayout.MPS.with(cc, Integer.numberOfTrailingZeros(core.pageSize()) - 12);
    cc = CcLayout.IOSQES.with(cc, SqeLayout.SIZE_SHIFT);
    cc = CcLayout.IOCQES.with(cc, CqeLayout.SIZE_SHIFT);
    registers.cc(cc);
    // What CAP says may depend on what CC selects: only now are its timeouts those of the controller to be started.
    cap = registers.cap();
    registers.cc(CcLayout.EN.with(cc, 1));
    long timeout = readyTimeoutNanos(cap);
    if (!awaitStatus(CstsLayout.RDY, 1, timeout)) {
      throw protocol("the controller did not become ready within " + timeout / 1_000_000 + " ms");
    }
  }

  /** The longer of both timeouts: controllers exist whose CRTO is wrongly below CAP.TO. */
  private long readyTimeoutNanos(long cap) {
    long units = CapLayout.TO.get(cap);
    if (CapLayout.CRWMS.isSet(cap)) {
      units = Math.max(units, RegisterLayout.CRTO_CRWMT.get(registers.crto()));
    }
    return (units + 1) * HALF_SECOND;
  }

  private boolean awaitStatus(io.twostep.device.nvme.wire.Bits bits, int wanted, long nanos) {
    try (Deadline deadline = new Deadline(core.timers(), nanos)) {
      while (true) {
        int csts = registers.csts();
        if (csts == RegisterLayout.GONE) {
          return false;
        }
        if (bits.get(csts) == wanted) {
          return true;
        }
        if (deadline.isOver()) {
          return false;
        }
        deadline.pause();
      }
    }
  }

  /** Identify the controller, and its NVM command set if it knows how, by way of {@code buffer}. */
  void identify(DmaBuffer buffer) {
    long cap = registers.cap();
    admin.execute(identify("identify controller", IdentifyCommandLayout.CNS_CONTROLLER, buffer));
    ControllerFacts facts = ControllerFacts.of(buffer.segment(), cap);
    core.facts(facts);
    AdminCommand ofCommandSet =
        identify("identify NVM controller", IdentifyCommandLayout.CNS_COMMAND_SET_CONTROLLER, buffer);
    boolean known = admin.executeIfSupported(ofCommandSet);
    core.limits(known ? CommandLimits.of(buffer.segment(), cap) : CommandLimits.unknown(facts.maxTransfer()));
  }

  static AdminCommand identify(String name, int cns, DmaBuffer buffer) {
    return new AdminCommand(name, AdminOpcode.IDENTIFY).data(buffer.dmaAddress(), 0).word(10, cns);
  }

  /** Ask for I/O queue pairs; returns how many there may be. */
  int negotiateQueues(int wanted) {
    if (wanted == 0) {
      return 0;
    }
    int pairs = (wanted - 1) | ((wanted - 1) << 16);
    long result =
        admin.execute(
            new AdminCommand("set number of queues", AdminOpcode.SET_FEATURES)
                .word(10, FeatureId.NUMBER_OF_QUEUES)
                .word(11, pairs));
    int submission = FeatureId.SUBMISSION_QUEUES.get((int) result) + 1;
    int completion = FeatureId.COMPLETION_QUEUES.get((int) result) + 1;
    return Math.min(wanted, Math.min(submission, completion));
  }

  /**
   * Create the completion queue, then the submission queue that uses it.
   *
   * @param vector interrupt vector; negative for none
   */
  void create(NvmeQueue queue, int vector) {
    int size = queue.id() | ((queue.depth() - 1) << 16);
    int flags = QueueCommandLayout.PC.with(0, 1);
    int completionFlags = vector < 0 ? flags : QueueCommandLayout.IEN.with(flags, 1) | (vector << 16);
    admin.execute(
        new AdminCommand("create completion queue", AdminOpcode.CREATE_COMPLETION_QUEUE)
            .data(queue.completionAddress(), 0)
            .word(10, size)
            .word(11, completionFlags));
    admin.execute(
        new AdminCommand("create submission queue", AdminOpcode.CREATE_SUBMISSION_QUEUE)
            .data(queue.submissionAddress(), 0)
            .word(10, size)
            .word(11, flags | (queue.id() << 16)));
  }

  /** Tell the controller where the shadow doorbells are; returns false if it does not want them after all. */
  boolean tryUseShadow(DmaBuffer shadow, DmaBuffer events) {
    shadow.segment().fill((byte) 0);
    events.segment().fill((byte) 0);
    int status =
        admin.tryExecute(
            new AdminCommand("configure doorbell buffer", AdminOpcode.DOORBELL_BUFFER_CONFIG)
                .data(shadow.dmaAddress(), events.dmaAddress()));
    return status == StatusCode.SUCCESS;
  }

  /** Ask for the events that the controller can report; one that knows no such feature reports errors alone. */
  void listen(ControllerFacts facts) {
    if (IdentifyControllerLayout.OAES_NAMESPACE_NOTICES.isSet(facts.optionalEvents())) {
      admin.tryExecute(
          new AdminCommand("configure events", AdminOpcode.SET_FEATURES)
              .word(10, FeatureId.ASYNC_EVENT_CONFIGURATION)
              .word(11, AsyncEventLayout.CONFIGURE_NAMESPACE_NOTICES.with(0, 1)));
    }
    admin.requestEvents();
  }

  /**
   * Lend host memory to the controller.
   *
   * @param again whether it is what the controller had before a reset, untouched since
   * @return false if the controller does not take it
   */
  boolean tryLend(HostMemoryLoan loan, boolean again) {
    int flags = HostMemoryBufferLayout.MEMORY_RETURN.with(HostMemoryBufferLayout.ENABLE.with(0, 1), again ? 1 : 0);
    AdminCommand lend =
        new AdminCommand("lend host memory", AdminOpcode.SET_FEATURES)
            .word(10, FeatureId.HOST_MEMORY_BUFFER)
            .word(11, flags)
            .word(12, (int) (loan.length() / core.pageSize()))
            .word(13, (int) loan.listAddress())
            .word(14, (int) (loan.listAddress() >>> 32))
            .word(15, loan.pieces());
    return admin.tryExecute(lend) == StatusCode.SUCCESS;
  }

  /** Take lent memory back and delete the I/O queues, submission queues first, and shut the running controller down in peace. */
  void shutDown(Iterable<NvmeQueue> queues, boolean lent, ControllerFacts facts) {
    if (lent) {
      admin.tryExecute(new AdminCommand("take host memory back", AdminOpcode.SET_FEATURES).word(10, FeatureId.HOST_MEMORY_BUFFER));
    }
    for (NvmeQueue queue : queues) {
      admin.tryExecute(
          new AdminCommand("delete submission queue", AdminOpcode.DELETE_SUBMISSION_QUEUE).word(10, queue.id()));
    }
    for (NvmeQueue queue : queues) {
      admin.tryExecute(
          new AdminCommand("delete completion queue", AdminOpcode.DELETE_COMPLETION_QUEUE).word(10, queue.id()));
    }
    registers.cc(CcLayout.SHN.with(registers.cc(), CcLayout.SHN_NORMAL));
    awaitStatus(CstsLayout.SHST, CstsLayout.SHST_COMPLETE, facts.shutdownNanos());
  }

  private NvmeException protocol(String what) {
    return NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, what);
  }
}
