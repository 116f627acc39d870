package io.twostep.device.nvme.protection;

import static io.twostep.device.nvme.protection.ProtectionInformation.CHECK_APPLICATION;
import static io.twostep.device.nvme.protection.ProtectionInformation.CHECK_GUARD;
import static io.twostep.device.nvme.protection.ProtectionInformation.CHECK_REFERENCE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import io.twostep.tck.Allocation;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class ProtectionInformationTest {
  private static final int ALL = CHECK_GUARD | CHECK_APPLICATION | CHECK_REFERENCE;

  @Test
  void guardsHaveTheirPublishedValues() {
    byte[] digits = "123456789".getBytes(StandardCharsets.US_ASCII);
    assertThat(crc16(digits)).isEqualTo(0xd0db);
    assertThat(crc64(digits)).isEqualTo(0xae8b14860a799888L);
    assertThat(crc16(pattern(32, i -> 0))).isZero();
    assertThat(crc16(pattern(32, i -> 0xff))).isEqualTo(0xa293);
    assertThat(crc16(pattern(32, i -> i))).isEqualTo(0x0224);
    assertThat(crc64(pattern(4096, i -> 0))).isEqualTo(0x6482d367eb22b64eL);
    assertThat(crc64(pattern(4096, i -> 0xff))).isEqualTo(0xc0ddba7302eca3acL);
    assertThat(crc64(pattern(4096, i -> i))).isEqualTo(0x3e729f5f6750449cL);
    assertThat(crc64(pattern(4096, i -> 255 - i))).isEqualTo(0x9a2df64b8e9e517eL);
  }

  @Test
  void guardsAgreeWithBitwiseDivisionAtAnyLengthAndCut() {
    RandomGenerator random = Seeds.random();
    for (int round = 0; round < 2_000; round++) {
      byte[] bytes = new byte[random.nextInt(200)];
      random.nextBytes(bytes);
      int cut = random.nextInt(bytes.length + 1);
      MemorySegment segment = MemorySegment.ofArray(bytes);
      int crc16 = Crc16T10Dif.update(Crc16T10Dif.update(0, segment, 0, cut), segment, cut, bytes.length - cut);
      long crc64 = Crc64Nvme.update(Crc64Nvme.update(0, segment, 0, cut), segment, cut, bytes.length - cut);
      assertThat(crc16).as(Seeds.at(round)).isEqualTo(bitwise16(bytes));
      assertThat(crc64).as(Seeds.at(round)).isEqualTo(bitwise64(bytes));
    }
  }

  @Test
  void tupleIsBigEndianInItsPlace() {
    byte[] metadata = new byte[24];
    ProtectionFormat last16 = new ProtectionFormat(512, 24, 1, false, Guard.CRC16);
    MemorySegment data = MemorySegment.ofArray(pattern(512, i -> i * 7));
    ProtectionInformation.generate(last16, data, 0, MemorySegment.ofArray(metadata), 0, 0x1234, 0x89abcdefL);
    assertThat(metadata).startsWith(new byte[16]);
    assertThat(metadata).endsWith(0x12, 0x34, 0x89, 0xab, 0xcd, 0xef);

    metadata = new byte[24];
    ProtectionFormat first64 = new ProtectionFormat(512, 24, 2, true, Guard.CRC64);
    ProtectionInformation.generate(first64, data, 0, MemorySegment.ofArray(metadata), 0, 0x1234, 0x123456789abcL);
    assertThat(Arrays.copyOfRange(metadata, 8, 16)).containsExactly(0x12, 0x34, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc);
    assertThat(Arrays.copyOfRange(metadata, 16, 24)).containsOnly(0);
  }

  @Test
  void everyFlippedBitIsFoundWhereItIsGuarded() {
    RandomGenerator random = Seeds.random();
    for (Guard guard : Guard.values()) {
      for (int type = 1; type <= 3; type++) {
        for (boolean first : new boolean[] {true, false}) {
          ProtectionFormat format = new ProtectionFormat(512, 32, type, first, guard);
          byte[] block = new byte[512 + 32];
          for (int round = 0; round < 300; round++) {
            flipOneBit(random, format, block, round);
          }
        }
      }
    }
  }

  private static void flipOneBit(RandomGenerator random, ProtectionFormat format, byte[] block, int round) {
    random.nextBytes(block);
    MemorySegment segment = MemorySegment.ofArray(block);
    int application = random.nextInt(0xffff);
    long reference = random.nextLong() & format.guard().referenceMask();
    ProtectionInformation.generate(format, segment, 0, segment, 512, application, reference);
    assertThat(verify(format, segment, ALL, application, reference)).as(Seeds.at(round)).isZero();

    int bit = random.nextInt(8 * block.length);
    block[bit / 8] ^= (byte) (1 << bit % 8);
    int tuple = 512 + format.tupleOffset();
    int at = bit / 8 - tuple;
    int guardBytes = format.guard().tupleSize() == 8 ? 2 : 8;
    int expected;
    if (at < 0 || (at >= 0 && at < guardBytes)) {
      expected = CHECK_GUARD;
    } else if (at < guardBytes + 2) {
      expected = CHECK_APPLICATION;
    } else if (at < format.guard().tupleSize()) {
      expected = format.type() == 3 ? 0 : CHECK_REFERENCE;
    } else {
      expected = 0;
    }
    assertThat(verify(format, segment, ALL, application, reference)).as(Seeds.at(round)).isEqualTo(expected);
    assertThat(verify(format, segment, ALL & ~expected, application, reference)).as(Seeds.at(round)).isZero();
  }

  @Test
  void applicationMaskLimitsWhatIsCompared() {
    ProtectionFormat format = new ProtectionFormat(512, 8, 1, false, Guard.CRC16);
    MemorySegment block = MemorySegment.ofArray(new byte[520]);
    ProtectionInformation.generate(format, block, 0, block, 512, 0xab12, 7);
    assertThat(ProtectionInformation.verify(format, block, 0, block, 512, ALL, 0xab34, 0xff00, 7)).isZero();
    assertThat(ProtectionInformation.verify(format, block, 0, block, 512, ALL, 0xab34, 0x00ff, 7))
        .isEqualTo(CHECK_APPLICATION);
  }

  @Test
  void escapeTurnsChecksOff() {
    for (Guard guard : Guard.values()) {
      for (int type = 1; type <= 3; type++) {
        ProtectionFormat format = new ProtectionFormat(512, guard.tupleSize(), type, false, guard);
        MemorySegment block = MemorySegment.ofArray(new byte[512 + guard.tupleSize()]);
        ProtectionInformation.generate(format, block, 0, block, 512, 0xffff, 5);
        block.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        assertThat(verify(format, block, ALL, 0, 6)).isEqualTo(type == 3 ? CHECK_GUARD : 0);
        ProtectionInformation.generate(format, block, 0, block, 512, 0xffff, guard.referenceMask());
        block.set(ValueLayout.JAVA_BYTE, 0, (byte) 0);
        assertThat(verify(format, block, ALL, 0, 6)).isZero();
      }
    }
  }

  @Test
  void referenceTagCountsBlocksAndWraps() {
    ProtectionFormat one = new ProtectionFormat(4096, 8, 1, false, Guard.CRC16);
    assertThat(one.referenceTagOf(0x1_2345_6789L)).isEqualTo(0x2345_6789L);
    assertThat(one.referenceTag(0xffff_ffffL, 2)).isEqualTo(1);
    ProtectionFormat two = new ProtectionFormat(4096, 16, 2, false, Guard.CRC64);
    assertThat(two.referenceTag(0xffff_ffff_ffffL, 1)).isZero();
    ProtectionFormat three = new ProtectionFormat(4096, 16, 3, false, Guard.CRC64);
    assertThat(three.referenceTag(42, 7)).isEqualTo(42);
  }

  @Test
  void formatRefusesMetadataThatHoldsNoTuple() {
    assertThatThrownBy(() -> new ProtectionFormat(512, 8, 1, true, Guard.CRC64))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("8 bytes does not hold a tuple of 16");
    assertThatThrownBy(() -> new ProtectionFormat(512, 8, 0, true, Guard.CRC16))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new ProtectionFormat(512, 8, 1, true, Guard.CRC16).isTupleOnly()).isTrue();
    assertThat(new ProtectionFormat(512, 16, 1, true, Guard.CRC16).isTupleOnly()).isFalse();
  }

  @Test
  void warmGuardingAllocatesNothing() {
    ProtectionFormat format = new ProtectionFormat(512, 16, 1, true, Guard.CRC64);
    MemorySegment block = MemorySegment.ofArray(new byte[528]);
    assertThat(
            Allocation.leastBytesOf(
                () -> {
                  ProtectionInformation.generate(format, block, 0, block, 512, 1, 2);
                  ProtectionInformation.verify(format, block, 0, block, 512, ALL, 1, 0xffff, 2);
                }))
        .isZero();
  }

  private static int verify(ProtectionFormat format, MemorySegment block, int checks, int application, long reference) {
    return ProtectionInformation.verify(format, block, 0, block, 512, checks, application, 0xffff, reference);
  }

  private static int crc16(byte[] bytes) {
    return Crc16T10Dif.update(0, MemorySegment.ofArray(bytes), 0, bytes.length);
  }

  private static long crc64(byte[] bytes) {
    return Crc64Nvme.update(0, MemorySegment.ofArray(bytes), 0, bytes.length);
  }

  private static int bitwise16(byte[] bytes) {
    int crc = 0;
    for (byte b : bytes) {
      for (int bit = 7; bit >= 0; bit--) {
        int in = b >> bit & 1 ^ crc >> 15;
        crc = crc << 1 & 0xffff ^ (in == 0 ? 0 : 0x8bb7);
      }
    }
    return crc;
  }

  private static long bitwise64(byte[] bytes) {
    long crc = -1;
    for (byte b : bytes) {
      for (int bit = 0; bit < 8; bit++) {
        long in = (b >> bit ^ crc) & 1;
        crc = crc >>> 1 ^ (in == 0 ? 0 : 0x9a6c9329ac4bc9b5L);
      }
    }
    return ~crc;
  }

  private static byte[] pattern(int length, IntUnaryOperator value) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) value.applyAsInt(i);
    }
    return bytes;
  }
}
