package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NamespaceConfig.ProtectionGuard;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.device.nvme.model.TinyHost.Cqe;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AbortCommandLayout;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.ExtendedLbaFormatLayout;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.IdentifyControllerLayout;
import io.twostep.device.nvme.wire.IdentifyNamespaceLayout;
import io.twostep.device.nvme.wire.IndependentNamespaceLayout;
import io.twostep.device.nvme.wire.LbaFormatLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.NvmControllerLayout;
import io.twostep.device.nvme.wire.NvmNamespaceLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.SmartLogLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.device.nvme.wire.U32;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AdminCommandsTest {
  private static final NamespaceConfig PROTECTED =
      NamespaceConfig.ofMemory(500, 4096).withMetadata(16, true).withProtection(2, true, ProtectionGuard.CRC64);

  private final TinyHost host =
      TinyHost.running(
          NvmeModelConfig.DEFAULT.with(
              c ->
                  c.serial("S/N 42")
                      .model("A model")
                      .mdts(5)
                      .abortLimit(2)
                      .asyncEventLimit(1)
                      .retryDelay2(7)
                      .sgl(SglSupport.DWORD)
                      .commands(Set.of(OptionalCommand.COMPARE, OptionalCommand.WRITE_ZEROES))
                      .writeZeroesLimit(6)
                      .dsmRanges(9)
                      .namespaces(NamespaceConfig.ofMemory(1000, 512), PROTECTED)));
  private final MemorySegment page = host.at(DATA, 4096);

  @AfterEach
  void close() {
    host.close();
  }

  private int identify(int cns, int nsid) {
    page.fill((byte) 0xaa);
    MemorySegment sqe = prp(host.command(AdminOpcode.IDENTIFY, nsid), DATA, 0);
    IdentifyCommandLayout.CNS.set(sqe, 0, cns);
    return host.admin(sqe).code();
  }

  private Cqe feature(int opcode, int cdw10, int cdw11) {
    MemorySegment sqe = host.command(opcode, 0);
    FeatureCommandLayout.CDW10.set(sqe, 0, cdw10);
    FeatureCommandLayout.CDW11.set(sqe, 0, cdw11);
    return host.admin(sqe);
  }

  private int log(int id, int length, long offset, boolean retain) {
    MemorySegment sqe = prp(host.command(AdminOpcode.GET_LOG_PAGE, SqeLayout.NSID_ALL), DATA, 0);
    LogPageCommandLayout.LID.set(sqe, 0, id);
    LogPageCommandLayout.LSP.set(sqe, 0, LogPageCommandLayout.RAE.with(0, retain ? 1 : 0));
    LogPageCommandLayout.NUMDL.set(sqe, 0, length / 4 - 1);
    LogPageCommandLayout.LPO.set(sqe, 0, offset);
    return host.admin(sqe).code();
  }

  @Test
  void controllerIdentifiesItself() {
    assertThat(identify(IdentifyCommandLayout.CNS_CONTROLLER, 0)).isZero();
    assertThat(IdentifyControllerLayout.SN.getText(page, 0)).isEqualTo("S/N 42");
    assertThat(IdentifyControllerLayout.MN.getText(page, 0)).isEqualTo("A model");
    assertThat(IdentifyControllerLayout.MDTS.get(page, 0)).isEqualTo(5);
    assertThat(IdentifyControllerLayout.ACL.get(page, 0)).isEqualTo(2);
    assertThat(IdentifyControllerLayout.AERL.get(page, 0)).isEqualTo(1);
    assertThat(IdentifyControllerLayout.CRDT2.get(page, 0)).isEqualTo(7);
    assertThat(IdentifyControllerLayout.NN.get(page, 0)).isEqualTo(2);
    assertThat(IdentifyControllerLayout.SQES.get(page, 0)).isEqualTo(0x66);
    assertThat(IdentifyControllerLayout.CQES.get(page, 0)).isEqualTo(0x44);
    assertThat(IdentifyControllerLayout.ONCS.get(page, 0)).isEqualTo(1 | 1 << 3);
    assertThat(IdentifyControllerLayout.SGLS.get(page, 0) & 3).isEqualTo(2);
    assertThat(IdentifyControllerLayout.OACS_DOORBELL_BUFFER.isSet(IdentifyControllerLayout.OACS.get(page, 0))).isTrue();
    assertThat(page.get(ValueLayout.JAVA_BYTE, 4095)).as("the whole page is written").isZero();
    assertThat(identify(IdentifyCommandLayout.CNS_COMMAND_SET_CONTROLLER, 0)).isZero();
    assertThat(NvmControllerLayout.WZSL.get(page, 0)).isEqualTo(6);
    assertThat(NvmControllerLayout.DMRL.get(page, 0)).isEqualTo(9);
  }

  @Test
  void namespacesAreListedAndDescribed() {
    assertThat(identify(IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES, 0)).isZero();
    assertThat(new U32(0).get(page, 0)).isEqualTo(1);
    assertThat(new U32(4).get(page, 0)).isEqualTo(2);
    assertThat(new U32(8).get(page, 0)).isZero();
    assertThat(identify(IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES, 1)).isZero();
    assertThat(new U32(0).get(page, 0)).isEqualTo(2);
    assertThat(identify(IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES, -1)).isEqualTo(StatusCode.INVALID_NAMESPACE_OR_FORMAT);
    assertThat(identify(IdentifyCommandLayout.CNS_NAMESPACE, 2)).isZero();
    assertThat(IdentifyNamespaceLayout.NSZE.get(page, 0)).isEqualTo(500);
    assertThat(IdentifyNamespaceLayout.FLBAS_EXTENDED.isSet(IdentifyNamespaceLayout.FLBAS.get(page, 0))).isTrue();
    assertThat(IdentifyNamespaceLayout.DPS.get(page, 0)).isEqualTo(2 | 1 << 3);
    int lbaFormat = LbaFormatLayout.WORD.get(page, IdentifyNamespaceLayout.lbaFormat(0));
    assertThat(LbaFormatLayout.MS.get(lbaFormat)).isEqualTo(16);
    assertThat(LbaFormatLayout.LBADS.get(lbaFormat)).isEqualTo(12);
    byte[] identifier = IdentifyNamespaceLayout.NGUID.slice(page, 0).toArray(ValueLayout.JAVA_BYTE);
    assertThat(identify(IdentifyCommandLayout.CNS_NAMESPACE_DESCRIPTORS, 2)).isZero();
    assertThat(page.asSlice(4, 16).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(identifier);
    assertThat(identify(IdentifyCommandLayout.CNS_NAMESPACE_DESCRIPTORS, 1)).isZero();
    assertThat(page.asSlice(4, 16).toArray(ValueLayout.JAVA_BYTE)).isNotEqualTo(identifier);
    assertThat(identify(IdentifyCommandLayout.CNS_COMMAND_SET_NAMESPACE, 2)).isZero();
    int extended = ExtendedLbaFormatLayout.WORD.get(page, NvmNamespaceLayout.extendedFormat(0));
    assertThat(ExtendedLbaFormatLayout.PIF.get(extended)).isEqualTo(ExtendedLbaFormatLayout.PIF_GUARD_64);
    assertThat(identify(IdentifyCommandLayout.CNS_INDEPENDENT_NAMESPACE, 1)).isZero();
    assertThat(IndependentNamespaceLayout.NSTAT.get(page, 0)).isEqualTo(1);
    assertThat(identify(IdentifyCommandLayout.CNS_NAMESPACE, 3)).isEqualTo(StatusCode.INVALID_NAMESPACE_OR_FORMAT);
    assertThat(identify(0x77, 1)).isEqualTo(StatusCode.INVALID_FIELD);
  }

  @Test
  void featuresAreKeptUntilReset() {
    assertThat(feature(AdminOpcode.GET_FEATURES, FeatureId.VOLATILE_WRITE_CACHE, 0).result()).isEqualTo(1);
    assertThat(feature(AdminOpcode.SET_FEATURES, FeatureId.VOLATILE_WRITE_CACHE, 0).status()).isZero();
    assertThat(feature(AdminOpcode.GET_FEATURES, FeatureId.VOLATILE_WRITE_CACHE, 0).result()).isZero();
    int wantsDefault = FeatureCommandLayout.SEL.with(FeatureId.VOLATILE_WRITE_CACHE, FeatureCommandLayout.SELECT_DEFAULT);
    assertThat(feature(AdminOpcode.GET_FEATURES, wantsDefault, 0).result()).isEqualTo(1);
    host.disable();
    host.enable();
    assertThat(feature(AdminOpcode.GET_FEATURES, FeatureId.VOLATILE_WRITE_CACHE, 0).result()).isEqualTo(1);
    assertThat(feature(AdminOpcode.SET_FEATURES, 0xee, 0).code()).isEqualTo(StatusCode.INVALID_FIELD);
    int save = FeatureCommandLayout.SV.with(FeatureId.ARBITRATION, 1);
    assertThat(feature(AdminOpcode.SET_FEATURES, save, 0).code()).isEqualTo(StatusCode.FEATURE_NOT_SAVEABLE);
    assertThat(feature(AdminOpcode.SET_FEATURES, FeatureId.INTERRUPT_VECTOR_CONFIGURATION, 1 << 16 | 3).status()).isZero();
    assertThat(feature(AdminOpcode.GET_FEATURES, FeatureId.INTERRUPT_VECTOR_CONFIGURATION, 3).result())
        .isEqualTo(1 << 16 | 3);
    assertThat(feature(AdminOpcode.SET_FEATURES, FeatureId.INTERRUPT_VECTOR_CONFIGURATION, 9).code())
        .isEqualTo(StatusCode.INVALID_FIELD);
  }

  @Test
  void badDoorbellIsReportedOnceAndAgainAfterItsLogWasRead() {
    MemorySegment first = host.command(AdminOpcode.ASYNC_EVENT_REQUEST, 0);
    MemorySegment second = host.command(AdminOpcode.ASYNC_EVENT_REQUEST, 0);
    host.submit(host.admin, first);
    host.submit(host.admin, second);
    assertThat(host.execute(host.admin, host.command(AdminOpcode.ASYNC_EVENT_REQUEST, 0)).code())
        .isEqualTo(StatusCode.ASYNC_EVENT_LIMIT_EXCEEDED);
    host.write32(DoorbellLayout.submissionTail(3, 0), 1);
    host.run();
    Cqe event = host.reap(host.admin).getFirst();
    assertThat(event.commandId()).isEqualTo(SqeLayout.COMMAND_ID.get(first, 0));
    int word = (int) event.result();
    assertThat(AsyncEventLayout.TYPE.get(word)).isEqualTo(AsyncEventLayout.TYPE_ERROR);
    assertThat(AsyncEventLayout.INFORMATION.get(word)).isEqualTo(AsyncEventLayout.ERROR_INVALID_DOORBELL_REGISTER);
    assertThat(AsyncEventLayout.LOG_PAGE.get(word)).isEqualTo(LogPageCommandLayout.LID_ERROR);
    host.write32(DoorbellLayout.submissionTail(0, 0), 32);
    host.run();
    assertThat(host.reap(host.admin)).as("masked").isEmpty();
    assertThat(log(LogPageCommandLayout.LID_ERROR, 4096, 0, true)).isZero();
    assertThat(ErrorLogLayout.ERROR_COUNT.get(page, 0)).isEqualTo(3);
    assertThat(ErrorLogLayout.SQ_ID.get(page, 0)).isEqualTo(ErrorLogLayout.NONE);
    assertThat(ErrorLogLayout.ERROR_COUNT.get(page, 64)).as("newest first").isEqualTo(2);
    assertThat(host.reap(host.admin)).as("retained").isEmpty();
    MemorySegment sqe = prp(host.command(AdminOpcode.GET_LOG_PAGE, SqeLayout.NSID_ALL), DATA, 0);
    LogPageCommandLayout.LID.set(sqe, 0, LogPageCommandLayout.LID_ERROR);
    host.submit(host.admin, sqe);
    assertThat(host.reap(host.admin))
        .extracting(Cqe::commandId)
        .containsExactly(SqeLayout.COMMAND_ID.get(sqe, 0), SqeLayout.COMMAND_ID.get(second, 0));
  }

  @Test
  void eventRequestCanBeAborted() {
    MemorySegment request = host.command(AdminOpcode.ASYNC_EVENT_REQUEST, 0);
    host.submit(host.admin, request);
    MemorySegment abort = host.command(AdminOpcode.ABORT, 0);
    AbortCommandLayout.COMMAND_ID.set(abort, 0, SqeLayout.COMMAND_ID.get(request, 0));
    host.submit(host.admin, abort);
    assertThat(host.reap(host.admin)).extracting(Cqe::code).containsExactly(StatusCode.ABORT_REQUESTED, 0);
    assertThat(host.admin(abort).result()).isEqualTo(1);
  }

  @Test
  void logPagesCountErrorsAndWork() {
    Queue queue = host.createQueue(1, 16);
    host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0));
    host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0));
    MemorySegment wrong = prp(host.io(NvmOpcode.READ, 12345, 8), DATA, 0);
    Cqe failed = host.execute(queue, wrong);
    assertThat(StatusCode.DNR.isSet(failed.status())).isTrue();
    assertThat(log(LogPageCommandLayout.LID_SMART, 512, 0, false)).isZero();
    assertThat(SmartLogLayout.HOST_READ_COMMANDS.get(page, 0)).isEqualTo(1);
    assertThat(SmartLogLayout.HOST_WRITE_COMMANDS.get(page, 0)).isEqualTo(1);
    assertThat(SmartLogLayout.DATA_UNITS_WRITTEN.get(page, 0)).isEqualTo(1);
    assertThat(SmartLogLayout.ERROR_LOG_ENTRIES.get(page, 0)).isEqualTo(1);
    assertThat(log(LogPageCommandLayout.LID_ERROR, 64, 0, false)).isZero();
    assertThat(ErrorLogLayout.SQ_ID.get(page, 0)).isEqualTo(1);
    assertThat(ErrorLogLayout.COMMAND_ID.get(page, 0)).isEqualTo(SqeLayout.COMMAND_ID.get(wrong, 0));
    assertThat(ErrorLogLayout.STATUS_PHASE.get(page, 0) >> 1).isEqualTo(StatusCode.LBA_OUT_OF_RANGE);
    assertThat(ErrorLogLayout.LBA.get(page, 0)).isEqualTo(12345);
    assertThat(log(LogPageCommandLayout.LID_FIRMWARE_SLOT, 16, 8, false)).isZero();
    assertThat(page.get(ValueLayout.JAVA_BYTE, 0)).as("from the offset on").isEqualTo((byte) '1');
    assertThat(log(LogPageCommandLayout.LID_CHANGED_NAMESPACES, 4096, 0, false)).isZero();
    assertThat(log(0x70, 64, 0, false)).isEqualTo(StatusCode.INVALID_LOG_PAGE);
    assertThat(log(LogPageCommandLayout.LID_SMART, 64, 513, false)).isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(log(LogPageCommandLayout.LID_SMART, 64, 516, false)).isEqualTo(StatusCode.INVALID_FIELD);
  }

  @Test
  void commandsThatDoNotExistAreRefused() {
    assertThat(host.admin(host.command(AdminOpcode.FORMAT_NVM, 1)).code()).isEqualTo(StatusCode.INVALID_OPCODE);
    MemorySegment fused = prp(host.command(AdminOpcode.IDENTIFY, 0), DATA, 0);
    SqeLayout.FLAGS.set(fused, 0, 1);
    assertThat(host.admin(fused).code()).isEqualTo(StatusCode.INVALID_FIELD);
    SqeLayout.FLAGS.set(fused, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL));
    IdentifyCommandLayout.CNS.set(fused, 0, IdentifyCommandLayout.CNS_CONTROLLER);
    assertThat(host.admin(fused).code()).as("SGLs are not for admin commands").isEqualTo(StatusCode.INVALID_FIELD);
  }
}
