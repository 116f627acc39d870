package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CstsLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.RegisterLayout;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class LifecycleTest {
  private static final long READY = 50_000_000;
  private static final NvmeModelConfig SLOW = NvmeModelConfig.DEFAULT.with(c -> c.readyNanos(READY).shutdownNanos(READY));

  private static MemorySegment identify(TinyHost host) {
    MemorySegment sqe = prp(host.command(AdminOpcode.IDENTIFY, 0), DATA, 0);
    IdentifyCommandLayout.CNS.set(sqe, 0, IdentifyCommandLayout.CNS_CONTROLLER);
    return sqe;
  }

  @Test
  void capabilitiesTellTheParameters() {
    NvmeModelConfig config =
        NvmeModelConfig.DEFAULT.with(
            c -> c.doorbellStride(3).queueEntries(77).readyTimeoutUnits(9).pageSizeMin(8192).pageSizeMax(32768).cmbSize(4096));
    try (TinyHost host = new TinyHost(config)) {
      long cap = host.cap();
      assertThat(CapLayout.MQES.get(cap)).isEqualTo(76);
      assertThat(CapLayout.DSTRD.get(cap)).isEqualTo(3);
      assertThat(CapLayout.TO.get(cap)).isEqualTo(9);
      assertThat(CapLayout.MPSMIN.get(cap)).isEqualTo(1);
      assertThat(CapLayout.MPSMAX.get(cap)).isEqualTo(3);
      assertThat(CapLayout.CQR.isSet(cap)).isTrue();
      assertThat(CapLayout.CMBS.isSet(cap)).isTrue();
      assertThat(CapLayout.CSS.get(cap)).isEqualTo(CapLayout.CSS_NVM);
      assertThat(host.model.read(0, 0, 8)).isEqualTo(cap);
      assertThat(host.model.bars().getFirst().length()).isGreaterThanOrEqualTo(0x1000 + DoorbellLayout.length(8, 3));
    }
  }

  @Test
  void readyFollowsEnableAndDisableInTheirTime() {
    try (TinyHost host = new TinyHost(SLOW)) {
      host.setUpAdminQueues();
      host.write32(RegisterLayout.CC.offset(), CcLayout.EN.with(host.cc(), 1));
      host.pass(READY - 1);
      assertThat(host.csts(CstsLayout.RDY)).isFalse();
      host.put(host.admin, identify(host));
      host.ringTail(host.admin);
      host.run();
      assertThat(host.peekAll(host.admin)).isEmpty();
      assertThat(host.model.violations()).singleElement().asString().contains("not ready");
      host.pass(1);
      assertThat(host.csts(CstsLayout.RDY)).isTrue();
      host.write32(RegisterLayout.CC.offset(), host.cc());
      assertThat(host.csts(CstsLayout.RDY)).isTrue();
      host.pass(READY);
      assertThat(host.csts(CstsLayout.RDY)).isFalse();
    }
  }

  @Test
  void illegalEnableIsFatalUntilItIsTakenBack() {
    try (TinyHost host = new TinyHost(NvmeModelConfig.DEFAULT.with(c -> c.pageSizeMin(8192)))) {
      int enabled = CcLayout.EN.with(host.cc(), 1);
      enableFails(host, enabled, "admin queue of one entry");
      host.setUpAdminQueues();
      enableFails(host, CcLayout.MPS.with(enabled, 0), "CC.MPS 0 outside 1 to 4");
      enableFails(host, CcLayout.MPS.with(enabled, 5), "CC.MPS 5 outside 1 to 4");
      enableFails(host, CcLayout.CSS.with(enabled, 6), "command set");
      enableFails(host, CcLayout.AMS.with(enabled, 1), "arbitration");
      host.write64(RegisterLayout.ASQ.offset(), host.admin.sq + 4096);
      enableFails(host, enabled, "at no page");
      host.write64(RegisterLayout.ASQ.offset(), 0);
      enableFails(host, enabled, "at no page");
      host.enable();
      assertThat(host.admin(identify(host)).status()).isZero();
    }
  }

  private static void enableFails(TinyHost host, int cc, String why) {
    host.write32(RegisterLayout.CC.offset(), cc);
    host.run();
    assertThat(host.csts(CstsLayout.CFS)).isTrue();
    assertThat(host.csts(CstsLayout.RDY)).isFalse();
    assertThat(host.model.violations().getLast()).contains(why);
    host.disable();
    assertThat(host.csts(CstsLayout.CFS)).isFalse();
  }

  @Test
  void enablingBeforeTheLastDisableIsOverIsFatal() {
    try (TinyHost host = TinyHost.running(SLOW)) {
      host.write32(RegisterLayout.CC.offset(), host.cc());
      host.write32(RegisterLayout.CC.offset(), CcLayout.EN.with(host.cc(), 1));
      assertThat(host.csts(CstsLayout.CFS)).isTrue();
      assertThat(host.model.violations().getLast()).contains("RDY still set");
    }
  }

  @Test
  void settingsCannotChangeWhileEnabled() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      int before = host.read32(RegisterLayout.CC.offset());
      host.write32(RegisterLayout.CC.offset(), CcLayout.MPS.with(before, 2));
      host.write32(RegisterLayout.AQA.offset(), 0);
      host.write64(RegisterLayout.ACQ.offset(), 0);
      assertThat(host.model.violations()).hasSize(4);
      assertThat(host.read32(RegisterLayout.CC.offset())).isEqualTo(before);
      assertThat(host.read32(RegisterLayout.ACQ.offset() + 4)).isEqualTo((int) (host.admin.cq >>> 32));
      assertThat(host.admin(identify(host)).status()).isZero();
    }
  }

  @Test
  void controllerResetForgetsQueuesAndKeepsAdminRegisters() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      Queue queue = host.createQueue(1, 16);
      host.disable();
      assertThat(host.read32(RegisterLayout.AQA.offset())).isNotZero();
      host.enable();
      host.put(queue, host.command(NvmOpcode.FLUSH, 1));
      host.ringTail(queue);
      host.run();
      assertThat(host.peekAll(queue)).isEmpty();
      assertThat(host.model.violations().getLast()).contains("submission queue 1, which does not exist");
    }
  }

  @Test
  void functionResetIsPowerOn() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      host.model.reset();
      assertThat(host.read32(RegisterLayout.CC.offset())).isZero();
      assertThat(host.read32(RegisterLayout.AQA.offset())).isZero();
      assertThat(host.read32(RegisterLayout.CSTS.offset())).isZero();
      host.enable();
      assertThat(host.admin(identify(host)).status()).isZero();
    }
  }

  @Test
  void shutdownCompletesInItsTimeAndEndsCommands() {
    try (TinyHost host = TinyHost.running(SLOW)) {
      int cc = host.read32(RegisterLayout.CC.offset());
      host.write32(RegisterLayout.CC.offset(), CcLayout.SHN.with(cc, CcLayout.SHN_NORMAL));
      assertThat(CstsLayout.SHST.get(host.read32(RegisterLayout.CSTS.offset()))).isEqualTo(CstsLayout.SHST_OCCURRING);
      host.pass(READY);
      assertThat(CstsLayout.SHST.get(host.read32(RegisterLayout.CSTS.offset()))).isEqualTo(CstsLayout.SHST_COMPLETE);
      host.put(host.admin, identify(host));
      host.ringTail(host.admin);
      host.run();
      assertThat(host.peekAll(host.admin)).isEmpty();
      host.disable();
      host.enable();
      assertThat(CstsLayout.SHST.get(host.read32(RegisterLayout.CSTS.offset()))).isEqualTo(CstsLayout.SHST_NORMAL);
    }
  }

  @Test
  void subsystemResetIsReportedUntilItIsCleared() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      host.write32(RegisterLayout.NSSR.offset(), 1);
      assertThat(host.csts(CstsLayout.RDY)).isTrue();
      host.write32(RegisterLayout.NSSR.offset(), RegisterLayout.NSSR_MAGIC);
      assertThat(host.csts(CstsLayout.RDY)).isFalse();
      assertThat(host.csts(CstsLayout.NSSRO)).isTrue();
      host.write32(RegisterLayout.CSTS.offset(), CstsLayout.NSSRO.with(0, 1));
      assertThat(host.csts(CstsLayout.NSSRO)).isFalse();
    }
  }

  @Test
  void someControllersTakeNothingButHalves() {
    try (TinyHost host = new TinyHost(NvmeModelConfig.DEFAULT.with(c -> c.registers32Only(true)))) {
      assertThat(host.model.read(0, 0, 8)).isEqualTo(-1L);
      host.model.write(0, RegisterLayout.ASQ.offset(), 8, 0x1000);
      assertThat(host.read32(RegisterLayout.ASQ.offset())).isZero();
      assertThat(host.model.violations()).hasSize(2);
      host.enable();
    }
  }

  @Test
  void readOnlyRegistersStayAsTheyAre() {
    try (TinyHost host = new TinyHost(NvmeModelConfig.DEFAULT)) {
      long cap = host.cap();
      host.write32(0, 0);
      assertThat(host.cap()).isEqualTo(cap);
      assertThat(host.model.violations()).singleElement().asString().contains("read-only");
    }
  }

  @Test
  void removedControllerReadsAllOnesAndMovesNothing() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      host.put(host.admin, identify(host));
      host.ringTail(host.admin);
      host.model.faults().surpriseRemove();
      int accesses = host.accesses;
      host.run();
      assertThat(host.accesses).isEqualTo(accesses);
      assertThat(host.read32(RegisterLayout.CSTS.offset())).isEqualTo(RegisterLayout.GONE);
      host.write32(RegisterLayout.CC.offset(), 0);
      assertThat(host.read32(RegisterLayout.CC.offset())).isEqualTo(RegisterLayout.GONE);
    }
  }

  @Test
  void hostMemoryThatDoesNotAnswerIsFatal() {
    try (TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT)) {
      host.broken = true;
      host.submit(host.admin, identify(host));
      assertThat(host.csts(CstsLayout.CFS)).isTrue();
      assertThat(host.model.violations().getLast()).contains("submission queue 0 cannot be read");
      host.broken = false;
      host.disable();
      host.enable();
      assertThat(host.admin(identify(host)).status()).isZero();
      host.model.faults().failFatally();
      host.run();
      assertThat(host.csts(CstsLayout.CFS)).isTrue();
    }
  }
}
