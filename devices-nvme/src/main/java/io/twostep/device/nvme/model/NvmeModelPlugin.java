package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NamespaceConfig.ProtectionGuard;
import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Makes NVMe controller models by name: {@code nvme}. */
public final class NvmeModelPlugin implements DeviceModelPlugin {
  private static final List<Setting> SETTINGS =
      List.of(
          new Setting("file", "", "file that keeps the blocks of namespace 1; empty for memory"),
          new Setting("size", "1G", "size of each namespace in bytes; with a file, 0 for the size the file has"),
          new Setting("namespaces", "1", "number of namespaces; those after the first are in memory"),
          new Setting("block-size", "512", "data bytes of a block, a power of two from 512 to 64K"),
          new Setting("metadata-size", "0", "metadata bytes of a block"),
          new Setting("metadata-extended", "false", "whether metadata follows each block in the data buffer"),
          new Setting("protection-type", "0", "protection information: 0 for none, 1 to 3"),
          new Setting("protection-first", "false", "whether protection information is the first bytes of the metadata"),
          new Setting("guard", "crc16", "checksum of the protection information: crc16 or crc64"),
          new Setting("read-only", "false", "whether the namespaces are write protected"),
          new Setting("serial", "TWOSTEP0001", "serial number, up to 20 characters"),
          new Setting("model", "Twostep NVMe model", "model number, up to 40 characters"),
          new Setting("doorbell-stride", "0", "CAP.DSTRD: doorbells are 4 << stride bytes apart, 0 to 12"),
          new Setting("page-size-min", "4K", "smallest memory page, a power of two from 4 KiB to 128 MiB"),
          new Setting("page-size-max", "64K", "largest memory page, a power of two from 4 KiB to 128 MiB"),
          new Setting("mdts", "9", "largest transfer as a power of two of the smallest page; 0 for no limit"),
          new Setting("queue-entries", "1024", "most entries of a queue, 2 to 65536"),
          new Setting("io-queues", "8", "I/O queue pairs granted, 1 to 1024"),
          new Setting("vectors", "9", "interrupt vectors, 1 to 2048"),
          new Setting("sgl", "byte", "SGLs: none, dword or byte aligned"),
          new Setting("sgl-bit-bucket", "true", "whether reads may throw data away"),
          new Setting("sgl-longer", "false", "whether an SGL may be longer than the data"),
          new Setting("metadata-sgl", "true", "whether metadata may be described by an SGL"),
          new Setting("cmb-bar", "2", "BAR of the controller memory buffer, 2 to 5"),
          new Setting("cmb-offset", "0", "where the controller memory buffer begins in its BAR, in bytes, a multiple of 4 KiB"),
          new Setting("cmb-size", "0", "size of the controller memory buffer, a multiple of 4 KiB; 0 for none"),
          new Setting("cmb-uses", "submission-queues,completion-queues,lists,read-data,write-data,mixed-data,mixed-lists,lists-of-any-command", "what may be placed in the controller memory buffer"),
          new Setting("hmb-preferred", "0", "host memory buffer that the controller would like, in bytes, a multiple of 4 KiB; 0 for none"),
          new Setting("hmb-minimum", "0", "least host memory buffer that is of use, in bytes, a multiple of 4 KiB"),
          new Setting("hmb-descriptor-minimum", "0", "least bytes of one piece of the host memory buffer, a multiple of 4 KiB; 0 for any"),
          new Setting("hmb-descriptors", "0", "most pieces of the host memory buffer; 0 for any number"),
          new Setting("shadow-doorbells", "true", "whether doorbell buffer config is supported"),
          new Setting("write-cache", "true", "whether a volatile write cache is reported"),
          new Setting("loses-unflushed", "false", "whether a loss of power takes back what was not flushed"),
          new Setting("commands", "compare,write-uncorrectable,dataset-management,write-zeroes,verify", "optional I/O commands supported"),
          new Setting("write-zeroes-limit", "0", "largest write zeroes as a power of two of the smallest page; 0 for no limit"),
          new Setting("verify-limit", "0", "largest verify as a power of two of the smallest page; 0 for no limit"),
          new Setting("dsm-ranges", "0", "most dataset management ranges of a command, to 255; 0 for 256"),
          new Setting("dsm-range-blocks", "0", "most blocks of a dataset management range; 0 for no limit"),
          new Setting("dsm-reads-whole-buffer", "false", "whether dataset management reads 4096 bytes whatever the range count"),
          new Setting("async-event-limit", "3", "asynchronous event requests that may be outstanding, less one"),
          new Setting("abort-limit", "3", "aborts that may be outstanding, less one"),
          new Setting("retry-delay-1", "0", "CRDT1 in units of 100 ms"),
          new Setting("retry-delay-2", "0", "CRDT2 in units of 100 ms"),
          new Setting("retry-delay-3", "0", "CRDT3 in units of 100 ms"),
          new Setting("ready-timeout-units", "20", "CAP.TO in units of 500 ms, 1 to 255"),
          new Setting("ready-nanos", "0", "time from enable to ready, and from disable to not ready"),
          new Setting("shutdown-nanos", "0", "time that a shutdown takes"),
          new Setting("subsystem-reset", "true", "whether NSSR is supported"),
          new Setting("registers-32-only", "false", "whether 64-bit register accesses are refused"),
          new Setting("strict", "true", "whether reserved bits and unused pointers must be zero"));

  /** Create the plugin. */
  public NvmeModelPlugin() {}

  @Override
  public String name() {
    return "nvme";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "NVMe controller with namespaces over a file or memory";
  }

  @Override
  public List<Setting> settings() {
    return SETTINGS;
  }

  @Override
  public DeviceModel create(Settings settings) {
    return new NvmeControllerModel(config(settings));
  }

  /** Return the parameters that settings stand for. */
  static NvmeModelConfig config(Settings settings) {
    return NvmeModelConfig.DEFAULT.with(
        c ->
            c.namespaces(namespaces(settings))
                .serial(settings.text("serial"))
                .model(settings.text("model"))
                .doorbellStride(settings.number("doorbell-stride", 0, Integer.MAX_VALUE))
                .pageSizeMin(Math.toIntExact(settings.bytes("page-size-min")))
                .pageSizeMax(Math.toIntExact(settings.bytes("page-size-max")))
                .mdts(settings.number("mdts", 0, Integer.MAX_VALUE))
                .queueEntries(settings.number("queue-entries", 0, Integer.MAX_VALUE))
                .ioQueues(settings.number("io-queues", 0, Integer.MAX_VALUE))
                .vectors(settings.number("vectors", 0, Integer.MAX_VALUE))
                .sgl(settings.choice("sgl", SglSupport.class))
                .sglBitBucket(settings.flag("sgl-bit-bucket"))
                .sglLonger(settings.flag("sgl-longer"))
                .metadataSgl(settings.flag("metadata-sgl"))
                .cmbBar(settings.number("cmb-bar", 0, Integer.MAX_VALUE))
                .cmbOffset(settings.bytes("cmb-offset"))
                .cmbSize(settings.bytes("cmb-size"))
                .cmbUses(choices(settings, "cmb-uses", CmbUse.class))
                .hmbPreferred(settings.bytes("hmb-preferred"))
                .hmbMinimum(settings.bytes("hmb-minimum"))
                .hmbMinDescriptor(settings.bytes("hmb-descriptor-minimum"))
                .hmbMaxDescriptors(settings.number("hmb-descriptors", 0, Integer.MAX_VALUE))
                .shadowDoorbells(settings.flag("shadow-doorbells"))
                .writeCache(settings.flag("write-cache"))
                .losesUnflushed(settings.flag("loses-unflushed"))
                .commands(choices(settings, "commands", OptionalCommand.class))
                .writeZeroesLimit(settings.number("write-zeroes-limit", 0, Integer.MAX_VALUE))
                .verifyLimit(settings.number("verify-limit", 0, Integer.MAX_VALUE))
                .dsmRanges(settings.number("dsm-ranges", 0, Integer.MAX_VALUE))
                .dsmRangeBlocks(settings.number("dsm-range-blocks", 0, Integer.MAX_VALUE))
                .dsmReadsWholeBuffer(settings.flag("dsm-reads-whole-buffer"))
                .asyncEventLimit(settings.number("async-event-limit", 0, Integer.MAX_VALUE))
                .abortLimit(settings.number("abort-limit", 0, Integer.MAX_VALUE))
                .retryDelay1(settings.number("retry-delay-1", 0, Integer.MAX_VALUE))
                .retryDelay2(settings.number("retry-delay-2", 0, Integer.MAX_VALUE))
                .retryDelay3(settings.number("retry-delay-3", 0, Integer.MAX_VALUE))
                .readyTimeoutUnits(settings.number("ready-timeout-units", 0, Integer.MAX_VALUE))
                .readyNanos(settings.number("ready-nanos"))
                .shutdownNanos(settings.number("shutdown-nanos"))
                .subsystemReset(settings.flag("subsystem-reset"))
                .registers32Only(settings.flag("registers-32-only"))
                .strict(settings.flag("strict")));
  }

  private static List<NamespaceConfig> namespaces(Settings settings) {
    String file = settings.text("file").trim();
    List<NamespaceConfig> namespaces = new ArrayList<>();
    for (int i = 0; i < settings.number("namespaces", 1, 1024); i++) {
      namespaces.add(namespace(settings, i > 0 || file.isEmpty() ? null : path(file)));
    }
    return namespaces;
  }

  private static NamespaceConfig namespace(Settings settings, @Nullable Path file) {
    int blockSize = Math.toIntExact(settings.bytes("block-size"));
    long size = settings.bytes("size");
    if (size == 0 && file != null) {
      size = sizeOf(file);
    }
    if (blockSize <= 0 || size <= 0 || size % blockSize != 0) {
      throw new IllegalArgumentException(
          "setting 'size' of nvme is " + size + " bytes; it must be a positive multiple of the block size, " + blockSize);
    }
    return new NamespaceConfig(
        file,
        size / blockSize,
        blockSize,
        settings.number("metadata-size", 0, 65535),
        settings.flag("metadata-extended"),
        settings.number("protection-type", 0, 3),
        settings.flag("protection-first"),
        settings.choice("guard", ProtectionGuard.class),
        settings.flag("read-only"));
  }

  private static Path path(String file) {
    try {
      return Path.of(file);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("setting 'file' of nvme is no path: " + e.getMessage(), e);
    }
  }

  private static long sizeOf(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new IllegalArgumentException("setting 'file' of nvme is " + file + ", whose size cannot be read; give 'size'", e);
    }
  }

  /** Parse names separated by commas, in lower case with hyphens; empty for none. */
  private static <E extends Enum<E>> Set<E> choices(Settings settings, String name, Class<E> type) {
    Set<E> chosen = EnumSet.noneOf(type);
    for (String part : settings.text(name).split(",", -1)) {
      String wanted = part.trim();
      if (!wanted.isEmpty()) {
        chosen.add(choice(name, wanted, type));
      }
    }
    return chosen;
  }

  private static <E extends Enum<E>> E choice(String name, String wanted, Class<E> type) {
    List<String> names = new ArrayList<>();
    for (E constant : Objects.requireNonNull(type.getEnumConstants())) {
      String text = constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
      if (text.equals(wanted)) {
        return constant;
      }
      names.add(text);
    }
    throw new IllegalArgumentException(
        "setting '" + name + "' of nvme has '" + wanted + "'; it must be names out of " + names + ", separated by commas");
  }
}
