package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.BASE;
import static io.twostep.device.nvme.model.TinyHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NamespaceConfig.ProtectionGuard;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.protection.Guard;
import io.twostep.device.nvme.protection.ProtectionFormat;
import io.twostep.device.nvme.protection.ProtectionInformation;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.device.nvme.wire.U64;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ProtectionTest {
  private static final int ALL = 1 << 12 | 1 << 11 | 1 << 10;
  private static final int PRACT = 1 << 13;
  private static final long META = DATA + 0x80_0000;
  private static final int APPLICATION = 0x1234;
  private static final int BLOCKS = 300;
  private static final long LBA = 77;

  private TinyHost host;
  private Queue queue;
  private NamespaceConfig format;

  static List<NamespaceConfig> formats() {
    List<NamespaceConfig> formats = new ArrayList<>();
    for (ProtectionGuard guard : ProtectionGuard.values()) {
      int tuple = guard == ProtectionGuard.CRC16 ? 8 : 16;
      for (int type = 1; type <= 3; type++) {
        for (int metadata : new int[] {tuple, 64}) {
          for (boolean extended : new boolean[] {false, true}) {
            formats.add(
                NamespaceConfig.ofMemory(2048, type == 2 ? 4096 : 512)
                    .withMetadata(metadata, extended)
                    .withProtection(type, metadata == 64 && type != 3, guard));
          }
        }
      }
    }
    return formats;
  }

  private void start(NamespaceConfig namespace) {
    format = namespace;
    host = TinyHost.running(NvmeModelConfig.DEFAULT.with(c -> c.mdts(0).namespaces(namespace)));
    queue = host.createQueue(1, 16);
  }

  @AfterEach
  void close() {
    if (host != null) {
      host.close();
    }
  }

  private ProtectionFormat protection() {
    Guard guard = format.guard() == ProtectionGuard.CRC16 ? Guard.CRC16 : Guard.CRC64;
    return new ProtectionFormat(
        format.blockSize(), format.metadataSize(), format.protectionType(), format.protectionFirst(), guard);
  }

  private long dataAt(int block) {
    return DATA - BASE + (long) block * (format.blockSize() + (format.extended() ? format.metadataSize() : 0));
  }

  private long metadataAt(int block) {
    return format.extended()
        ? dataAt(block) + format.blockSize()
        : META - BASE + (long) block * format.metadataSize();
  }

  private void fill(int seed) {
    byte[] bytes = new byte[format.blockSize() + format.metadataSize()];
    Random random = new Random(seed);
    for (int i = 0; i < BLOCKS; i++) {
      random.nextBytes(bytes);
      MemorySegment.copy(bytes, 0, host.memory, ValueLayout.JAVA_BYTE, dataAt(i), format.blockSize());
      MemorySegment.copy(
          bytes, format.blockSize(), host.memory, ValueLayout.JAVA_BYTE, metadataAt(i), format.metadataSize());
      ProtectionInformation.generate(
          protection(), host.memory, dataAt(i), host.memory, metadataAt(i), APPLICATION, protection().referenceTag(LBA, i));
    }
  }

  private int run(int opcode, int control) {
    MemorySegment sqe = host.io(opcode, LBA, BLOCKS);
    SqeLayout.FLAGS.set(sqe, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL));
    boolean strips =
        (control & PRACT) != 0 && format.protectionType() != 0 && protection().isTupleOnly();
    long transfer = format.blockSize() + (format.extended() && !strips ? format.metadataSize() : 0);
    SqeLayout.PRP1.set(sqe, 0, DATA);
    new U64(32).set(sqe, 0, transfer * BLOCKS);
    SqeLayout.MPTR.set(sqe, 0, META);
    ReadWriteCommandLayout.CONTROL.set(sqe, 0, format.protectionType() == 3 ? control & ~(1 << 10) : control);
    ReadWriteCommandLayout.REFERENCE_TAG.set(sqe, 0, (int) LBA);
    ReadWriteCommandLayout.APPLICATION_TAG.set(sqe, 0, APPLICATION);
    ReadWriteCommandLayout.APPLICATION_MASK.set(sqe, 0, 0xffff);
    return host.execute(queue, sqe).code();
  }

  private byte[] snapshot() {
    byte[] all = new byte[BLOCKS * (format.blockSize() + format.metadataSize())];
    int at = 0;
    for (int i = 0; i < BLOCKS; i++) {
      MemorySegment.copy(host.memory, ValueLayout.JAVA_BYTE, dataAt(i), all, at, format.blockSize());
      at += format.blockSize();
      MemorySegment.copy(host.memory, ValueLayout.JAVA_BYTE, metadataAt(i), all, at, format.metadataSize());
      at += format.metadataSize();
    }
    return all;
  }

  @ParameterizedTest
  @MethodSource("formats")
  void blocksAndMetadataComeBackChecked(NamespaceConfig namespace) {
    start(namespace);
    fill(1);
    byte[] before = snapshot();
    assertThat(run(NvmOpcode.WRITE, ALL)).isZero();
    host.at(DATA, 0x16_0000).fill((byte) 0);
    host.at(META, 0x1_0000).fill((byte) 0);
    assertThat(run(NvmOpcode.READ, ALL)).isZero();
    assertThat(snapshot()).isEqualTo(before);
    assertThat(run(NvmOpcode.COMPARE, ALL)).isZero();
    assertThat(run(NvmOpcode.VERIFY, ALL)).isZero();
    assertThat(host.model.violations()).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void damageIsFoundOnTheWayInAndOut(NamespaceConfig namespace) {
    start(namespace);
    fill(2);
    long middle = dataAt(BLOCKS / 2) + 5;
    byte good = host.memory.get(ValueLayout.JAVA_BYTE, middle);
    host.memory.set(ValueLayout.JAVA_BYTE, middle, (byte) ~good);
    assertThat(run(NvmOpcode.WRITE, ALL)).isEqualTo(StatusCode.GUARD_CHECK_ERROR);
    assertThat(run(NvmOpcode.WRITE, 0)).as("nobody asked for checks").isZero();
    assertThat(run(NvmOpcode.READ, ALL)).isEqualTo(StatusCode.GUARD_CHECK_ERROR);
    assertThat(run(NvmOpcode.VERIFY, ALL)).isEqualTo(StatusCode.GUARD_CHECK_ERROR);
    assertThat(run(NvmOpcode.READ, 0)).isZero();
    fill(2);
    long tuple = metadataAt(BLOCKS - 1) + protection().tupleOffset();
    long application = tuple + (format.guard() == ProtectionGuard.CRC16 ? 2 : 8);
    host.memory.set(ValueLayout.JAVA_BYTE, application, (byte) 0x77);
    assertThat(run(NvmOpcode.WRITE, ALL)).isEqualTo(StatusCode.APPLICATION_TAG_CHECK_ERROR);
    fill(2);
    host.memory.set(ValueLayout.JAVA_BYTE, tuple + (format.guard() == ProtectionGuard.CRC16 ? 7 : 15), (byte) 0x77);
    assertThat(run(NvmOpcode.WRITE, ALL))
        .isEqualTo(format.protectionType() == 3 ? StatusCode.SUCCESS : StatusCode.REFERENCE_TAG_CHECK_ERROR);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void controllerInsertsAndStripsOnRequest(NamespaceConfig namespace) {
    start(namespace);
    boolean tupleOnly = protection().isTupleOnly();
    fill(3);
    host.at(META, 0x1_0000).fill((byte) 0x5a);
    byte[] data = new byte[BLOCKS * format.blockSize()];
    new Random(4).nextBytes(data);
    boolean packed = tupleOnly || !format.extended();
    for (int i = 0; i < BLOCKS; i++) {
      long at = packed ? DATA - BASE + (long) i * format.blockSize() : dataAt(i);
      MemorySegment.copy(data, i * format.blockSize(), host.memory, ValueLayout.JAVA_BYTE, at, format.blockSize());
    }
    assertThat(run(NvmOpcode.WRITE, PRACT)).isZero();
    host.at(DATA, 0x16_0000).fill((byte) 0);
    assertThat(run(NvmOpcode.READ, PRACT | ALL)).isZero();
    for (int i = 0; i < BLOCKS; i++) {
      long at = packed ? DATA - BASE + (long) i * format.blockSize() : dataAt(i);
      assertThat(host.memory.asSlice(at, format.blockSize()).mismatch(
              MemorySegment.ofArray(data).asSlice((long) i * format.blockSize(), format.blockSize())))
          .isEqualTo(-1);
    }
    if (tupleOnly && !format.extended()) {
      assertThat(host.at(META, 16).toArray(ValueLayout.JAVA_BYTE)).as("no metadata moved").containsOnly(0x5a);
    }
    assertThat(run(NvmOpcode.READ, ALL)).as("the tuples are there").isZero();
  }

  @Test
  void zeroesCarryProtectionIfTheControllerMakesIt() {
    start(NamespaceConfig.ofMemory(2048, 512).withMetadata(8, false).withProtection(1, false, ProtectionGuard.CRC16));
    fill(5);
    assertThat(run(NvmOpcode.WRITE, ALL)).isZero();
    assertThat(run(NvmOpcode.WRITE_ZEROES, PRACT)).isZero();
    assertThat(run(NvmOpcode.READ, ALL)).isZero();
    assertThat(host.at(DATA, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void blocksNeverWrittenEscapeEveryCheck() {
    for (NamespaceConfig namespace : formats()) {
      start(namespace);
      assertThat(run(NvmOpcode.READ, ALL)).isZero();
      assertThat(host.memory.get(ValueLayout.JAVA_BYTE, metadataAt(1))).isEqualTo((byte) 0xff);
      host.close();
      host = null;
    }
  }

  @Test
  void firstTypeDemandsTheBlockNumberAsSeedAndThirdTypeHasNone() {
    start(NamespaceConfig.ofMemory(2048, 512).withMetadata(8, false).withProtection(1, false, ProtectionGuard.CRC16));
    MemorySegment sqe = host.io(NvmOpcode.VERIFY, LBA, 1);
    ReadWriteCommandLayout.CONTROL.set(sqe, 0, 1 << 10);
    ReadWriteCommandLayout.REFERENCE_TAG.set(sqe, 0, (int) LBA + 1);
    assertThat(host.execute(queue, sqe).code()).isEqualTo(StatusCode.INVALID_PROTECTION_INFORMATION);
    host.close();
    start(NamespaceConfig.ofMemory(2048, 512).withMetadata(8, false).withProtection(3, false, ProtectionGuard.CRC16));
    assertThat(host.execute(queue, sqe).code()).isEqualTo(StatusCode.INVALID_PROTECTION_INFORMATION);
  }

  @Test
  void separateMetadataNeedsAPointer() {
    start(NamespaceConfig.ofMemory(2048, 512).withMetadata(16, false));
    MemorySegment sqe = TinyHost.prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0);
    assertThat(host.execute(queue, sqe).code()).isEqualTo(StatusCode.INVALID_FIELD);
    SqeLayout.MPTR.set(sqe, 0, META + 2);
    assertThat(host.execute(queue, sqe).code()).isEqualTo(StatusCode.INVALID_FIELD);
    SqeLayout.MPTR.set(sqe, 0, META);
    assertThat(host.execute(queue, sqe).code()).isZero();
  }

  @Test
  void metadataMayBeAnSglWhereTheDataIs() {
    start(NamespaceConfig.ofMemory(2048, 512).withMetadata(16, false));
    fillPlain(META, 16 * 16);
    fillPlain(DATA, 8192);
    MemorySegment write = TinyHost.prp(host.io(NvmOpcode.WRITE, 0, 16), DATA, DATA + 4096);
    SqeLayout.MPTR.set(write, 0, META);
    assertThat(host.execute(queue, write).code()).isZero();
    long list = META + 0x1_0000;
    MemorySegment segment = host.at(list, 64);
    new U64(0).set(segment, 0, list + 16);
    new U64(8).set(segment, 0, 0x3000_0000_0000_0020L);
    new U64(16).set(segment, 0, META + 0x2001);
    new U64(24).set(segment, 0, 100);
    new U64(32).set(segment, 0, META + 0x3000);
    new U64(40).set(segment, 0, 156);
    MemorySegment read = host.io(NvmOpcode.READ, 0, 16);
    SqeLayout.FLAGS.set(read, 0, SqeLayout.PSDT.with(0, SqeLayout.PSDT_SGL_META_SGL));
    SqeLayout.PRP1.set(read, 0, DATA + 0x2000);
    new U64(32).set(read, 0, 8192);
    SqeLayout.MPTR.set(read, 0, list);
    assertThat(host.execute(queue, read).code()).isZero();
    assertThat(host.at(META + 0x2001, 100).mismatch(host.at(META, 100))).isEqualTo(-1);
    assertThat(host.at(META + 0x3000, 156).mismatch(host.at(META + 100, 156))).isEqualTo(-1);
    new U64(40).set(segment, 0, 155);
    assertThat(host.execute(queue, read).code()).isEqualTo(StatusCode.METADATA_SGL_LENGTH_INVALID);
    SqeLayout.MPTR.set(read, 0, list + 4);
    assertThat(host.execute(queue, read).code()).isEqualTo(StatusCode.INVALID_FIELD);
  }

  private void fillPlain(long address, int length) {
    byte[] bytes = new byte[length];
    new Random(address).nextBytes(bytes);
    host.at(address, length).copyFrom(MemorySegment.ofArray(bytes));
  }
}
