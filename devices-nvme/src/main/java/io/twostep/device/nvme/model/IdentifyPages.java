package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.device.nvme.protection.Guard;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.ExtendedLbaFormatLayout;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.IdentifyControllerLayout;
import io.twostep.device.nvme.wire.IdentifyNamespaceLayout;
import io.twostep.device.nvme.wire.IndependentNamespaceLayout;
import io.twostep.device.nvme.wire.LbaFormatLayout;
import io.twostep.device.nvme.wire.NamespaceDescriptorLayout;
import io.twostep.device.nvme.wire.NvmControllerLayout;
import io.twostep.device.nvme.wire.NvmNamespaceLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.device.nvme.wire.U32;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes the identify data structures of the model into a zeroed page. */
final class IdentifyPages {
  /** Specification version 2.0. */
  static final int VERSION = RegisterLayout.VS_MAJOR.with(0, 2);

  private static final int IO_CONTROLLER = 1;
  private static final int SHUTDOWN_LATENCY_MICROS = 1_000_000;

  private final NvmeModelConfig config;
  private final Namespace[] namespaces;

  IdentifyPages(NvmeModelConfig config, Namespace[] namespaces) {
    this.config = config;
    this.namespaces = namespaces;
  }

  /** Write the structure {@code cns}; returns a status code. */
  int write(int cns, int csi, int nsid, MemorySegment page) {
    return switch (cns) {
      case IdentifyCommandLayout.CNS_CONTROLLER -> writeController(page);
      case IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES -> writeActiveNamespaces(nsid, page);
      case IdentifyCommandLayout.CNS_COMMAND_SET_CONTROLLER ->
          csi == IdentifyCommandLayout.CSI_NVM ? writeCommandSetController(page) : StatusCode.INVALID_FIELD;
      case IdentifyCommandLayout.CNS_NAMESPACE, IdentifyCommandLayout.CNS_NAMESPACE_DESCRIPTORS,
          IdentifyCommandLayout.CNS_INDEPENDENT_NAMESPACE ->
          writeOfNamespace(cns, nsid, page);
      case IdentifyCommandLayout.CNS_COMMAND_SET_NAMESPACE ->
          csi == IdentifyCommandLayout.CSI_NVM ? writeOfNamespace(cns, nsid, page) : StatusCode.INVALID_FIELD;
      default -> StatusCode.INVALID_FIELD;
    };
  }

  private int writeOfNamespace(int cns, int nsid, MemorySegment page) {
    if (nsid <= 0 || nsid > namespaces.length) {
      return StatusCode.INVALID_NAMESPACE_OR_FORMAT;
    }
    Namespace namespace = namespaces[nsid - 1];
    switch (cns) {
      case IdentifyCommandLayout.CNS_NAMESPACE -> writeNamespace(namespace, page);
      case IdentifyCommandLayout.CNS_NAMESPACE_DESCRIPTORS -> writeDescriptors(namespace, page);
      case IdentifyCommandLayout.CNS_INDEPENDENT_NAMESPACE -> writeIndependentNamespace(namespace, page);
      default -> writeCommandSetNamespace(namespace, page);
    }
    return StatusCode.SUCCESS;
  }

  private int writeController(MemorySegment page) {
    IdentifyControllerLayout.VID.set(page, 0, NvmeControllerModel.VENDOR);
    IdentifyControllerLayout.SSVID.set(page, 0, NvmeControllerModel.VENDOR);
    IdentifyControllerLayout.SN.setText(page, 0, config.serial());
    IdentifyControllerLayout.MN.setText(page, 0, config.model());
    IdentifyControllerLayout.FR.setText(page, 0, "1.0");
    IdentifyControllerLayout.RAB.set(page, 0, 3);
    IdentifyControllerLayout.MDTS.set(page, 0, config.mdts());
    IdentifyControllerLayout.CNTLID.set(page, 0, 1);
    IdentifyControllerLayout.VER.set(page, 0, VERSION);
    IdentifyControllerLayout.RTD3E.set(page, 0, SHUTDOWN_LATENCY_MICROS);
    IdentifyControllerLayout.OAES.set(page, 0, IdentifyControllerLayout.OAES_NAMESPACE_NOTICES.with(0, 1));
    IdentifyControllerLayout.CNTRLTYPE.set(page, 0, IO_CONTROLLER);
    IdentifyControllerLayout.CRDT1.set(page, 0, config.retryDelay1());
    IdentifyControllerLayout.CRDT2.set(page, 0, config.retryDelay2());
    IdentifyControllerLayout.CRDT3.set(page, 0, config.retryDelay3());
    IdentifyControllerLayout.OACS.set(
        page, 0, IdentifyControllerLayout.OACS_DOORBELL_BUFFER.with(0, config.shadowDoorbells() ? 1 : 0));
    IdentifyControllerLayout.ACL.set(page, 0, config.abortLimit());
    IdentifyControllerLayout.AERL.set(page, 0, config.asyncEventLimit());
    IdentifyControllerLayout.LPA.set(page, 0, IdentifyControllerLayout.LPA_EXTENDED.with(0, 1));
    IdentifyControllerLayout.ELPE.set(page, 0, ErrorLog.ENTRIES - 1);
    IdentifyControllerLayout.HMPRE.set(page, 0, (int) (config.hmbPreferred() / 4096));
    IdentifyControllerLayout.HMMIN.set(page, 0, (int) (config.hmbMinimum() / 4096));
    IdentifyControllerLayout.HMMINDS.set(page, 0, (int) (config.hmbMinDescriptor() / 4096));
    IdentifyControllerLayout.HMMAXD.set(page, 0, config.hmbMaxDescriptors());
    IdentifyControllerLayout.SQES.set(page, 0, (SqeLayout.SIZE_SHIFT << 4) | SqeLayout.SIZE_SHIFT);
    IdentifyControllerLayout.CQES.set(page, 0, (CqeLayout.SIZE_SHIFT << 4) | CqeLayout.SIZE_SHIFT);
    IdentifyControllerLayout.NN.set(page, 0, namespaces.length);
    IdentifyControllerLayout.MNAN.set(page, 0, namespaces.length);
    IdentifyControllerLayout.ONCS.set(page, 0, optionalCommands());
    int cache = IdentifyControllerLayout.VWC_PRESENT.with(0, config.writeCache() ? 1 : 0);
    IdentifyControllerLayout.VWC.set(page, 0, IdentifyControllerLayout.VWC_FLUSH_ALL.with(cache, 3));
    IdentifyControllerLayout.SGLS.set(page, 0, sglSupport());
    byte[] name = ("nqn.2026-01.io.twostep:" + config.serial()).getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(name, 0, page, ValueLayout.JAVA_BYTE, IdentifyControllerLayout.SUBNQN.offset(), name.length);
    return StatusCode.SUCCESS;
  }

  private int optionalCommands() {
    int oncs = 0;
    for (OptionalCommand command : config.commands()) {
      oncs |=
          switch (command) {
            case COMPARE -> IdentifyControllerLayout.ONCS_COMPARE.with(0, 1);
            case WRITE_UNCORRECTABLE -> IdentifyControllerLayout.ONCS_WRITE_UNCORRECTABLE.with(0, 1);
            case DATASET_MANAGEMENT -> IdentifyControllerLayout.ONCS_DATASET_MANAGEMENT.with(0, 1);
            case WRITE_ZEROES -> IdentifyControllerLayout.ONCS_WRITE_ZEROES.with(0, 1);
            case VERIFY -> IdentifyControllerLayout.ONCS_VERIFY.with(0, 1);
          };
    }
    return oncs;
  }

  private int sglSupport() {
    if (config.sgl() == SglSupport.NONE) {
      return 0;
    }
    int support =
        config.sgl() == SglSupport.BYTE ? IdentifyControllerLayout.SGLS_BYTE : IdentifyControllerLayout.SGLS_DWORD;
    int sgls = IdentifyControllerLayout.SGLS_SUPPORT.with(0, support);
    sgls = IdentifyControllerLayout.SGLS_BIT_BUCKET.with(sgls, config.sglBitBucket() ? 1 : 0);
    sgls = IdentifyControllerLayout.SGLS_LONGER.with(sgls, config.sglLonger() ? 1 : 0);
    return IdentifyControllerLayout.SGLS_METADATA.with(sgls, config.metadataSgl() ? 1 : 0);
  }

  private int writeActiveNamespaces(int above, MemorySegment page) {
    if (Integer.compareUnsigned(above, 0xfffffffe) >= 0) {
      return StatusCode.INVALID_NAMESPACE_OR_FORMAT;
    }
    int slot = 0;
    for (int id = 1; id <= namespaces.length && slot < IdentifyCommandLayout.DATA_SIZE / Integer.BYTES; id++) {
      if (Integer.compareUnsigned(id, above) > 0) {
        new U32(Integer.BYTES * slot++).set(page, 0, id);
      }
    }
    return StatusCode.SUCCESS;
  }

  private int writeCommandSetController(MemorySegment page) {
    NvmControllerLayout.VSL.set(page, 0, config.verifyLimit());
    NvmControllerLayout.WZSL.set(page, 0, config.writeZeroesLimit());
    NvmControllerLayout.DMRL.set(page, 0, config.dsmRanges());
    NvmControllerLayout.DMRSL.set(page, 0, config.dsmRangeBlocks());
    return StatusCode.SUCCESS;
  }

  private void writeNamespace(Namespace namespace, MemorySegment page) {
    NamespaceConfig format = namespace.config;
    IdentifyNamespaceLayout.NSZE.set(page, 0, namespace.blocks());
    IdentifyNamespaceLayout.NCAP.set(page, 0, namespace.blocks());
    IdentifyNamespaceLayout.NUSE.set(page, 0, namespace.blocks());
    IdentifyNamespaceLayout.FLBAS.set(page, 0, IdentifyNamespaceLayout.flbas(0, format.extended()));
    if (format.metadataSize() != 0) {
      IdentifyNamespaceLayout.MC.set(
          page,
          0,
          (format.extended() ? IdentifyNamespaceLayout.MC_EXTENDED : IdentifyNamespaceLayout.MC_SEPARATE).with(0, 1));
    }
    if (format.protectionType() != 0) {
      int capabilities = 1 << (format.protectionType() - 1);
      capabilities =
          (format.protectionFirst() ? IdentifyNamespaceLayout.DPC_FIRST : IdentifyNamespaceLayout.DPC_LAST)
              .with(capabilities, 1);
      IdentifyNamespaceLayout.DPC.set(page, 0, capabilities);
      int settings = IdentifyNamespaceLayout.DPS_TYPE.with(0, format.protectionType());
      settings = IdentifyNamespaceLayout.DPS_FIRST.with(settings, format.protectionFirst() ? 1 : 0);
      IdentifyNamespaceLayout.DPS.set(page, 0, settings);
    }
    IdentifyNamespaceLayout.DLFEAT.set(page, 0, IdentifyNamespaceLayout.DLFEAT_READ.with(0, 1));
    IdentifyNamespaceLayout.NSATTR.set(page, 0, format.readOnly() ? 1 : 0);
    writeIdentifier(namespace, page, IdentifyNamespaceLayout.NGUID.offset());
    int lbaFormat = LbaFormatLayout.MS.with(0, format.metadataSize());
    lbaFormat = LbaFormatLayout.LBADS.with(lbaFormat, namespace.blockShift);
    LbaFormatLayout.WORD.set(page, IdentifyNamespaceLayout.lbaFormat(0), lbaFormat);
  }

  /** Sixteen bytes that differ between namespaces and between serial numbers. */
  private void writeIdentifier(Namespace namespace, MemorySegment page, long offset) {
    ValueLayout.OfLong word = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    long identity = 0;
    for (int i = 0; i < config.serial().length(); i++) {
      identity = 31 * identity + config.serial().charAt(i);
    }
    page.set(word, offset, (NvmeControllerModel.VENDOR << 16) | namespace.id);
    page.set(word, offset + Long.BYTES, identity);
  }

  private void writeDescriptors(Namespace namespace, MemorySegment page) {
    NamespaceDescriptorLayout.NIDT.set(page, 0, NamespaceDescriptorLayout.NIDT_NGUID);
    NamespaceDescriptorLayout.NIDL.set(page, 0, IdentifyNamespaceLayout.NGUID.width());
    writeIdentifier(namespace, page, NamespaceDescriptorLayout.SIZE);
    int next = NamespaceDescriptorLayout.SIZE + IdentifyNamespaceLayout.NGUID.width();
    NamespaceDescriptorLayout.NIDT.set(page, next, NamespaceDescriptorLayout.NIDT_CSI);
    NamespaceDescriptorLayout.NIDL.set(page, next, 1);
    page.set(ValueLayout.JAVA_BYTE, next + NamespaceDescriptorLayout.SIZE, (byte) IdentifyCommandLayout.CSI_NVM);
  }

  private void writeIndependentNamespace(Namespace namespace, MemorySegment page) {
    IndependentNamespaceLayout.NSATTR.set(page, 0, namespace.config.readOnly() ? 1 : 0);
    IndependentNamespaceLayout.NSTAT.set(page, 0, IndependentNamespaceLayout.NSTAT_READY.with(0, 1));
  }

  private void writeCommandSetNamespace(Namespace namespace, MemorySegment page) {
    boolean wide = namespace.protection != null && namespace.protection.guard() == Guard.CRC64;
    int guard = wide ? ExtendedLbaFormatLayout.PIF_GUARD_64 : ExtendedLbaFormatLayout.PIF_GUARD_16;
    ExtendedLbaFormatLayout.WORD.set(
        page, NvmNamespaceLayout.extendedFormat(0), ExtendedLbaFormatLayout.PIF.with(0, guard));
  }
}
