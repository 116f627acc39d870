package io.twostep.device.nvme.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class FieldTest {
  private final MemorySegment segment = Arena.ofAuto().allocate(64, 8);

  @Test
  void fieldsAreLittleEndianAndUnsigned() {
    new U64(8).set(segment, 16, 0x8877665544332211L);
    assertThat(segment.get(ValueLayout.JAVA_BYTE, 24)).isEqualTo((byte) 0x11);
    assertThat(segment.get(ValueLayout.JAVA_BYTE, 31)).isEqualTo((byte) 0x88);
    assertThat(new U64(8).get(segment, 16)).isEqualTo(0x8877665544332211L);
    assertThat(new U32(12).get(segment, 16)).isEqualTo(0x88776655);
    assertThat(new U32(12).getUnsigned(segment, 16)).isEqualTo(0x88776655L);
    assertThat(new U16(14).get(segment, 16)).isEqualTo(0x8877);
    assertThat(new U8(15).get(segment, 16)).isEqualTo(0x88);
  }

  @Test
  void setStoresNothingBesideTheField() {
    segment.fill((byte) 0x5a);
    new U8(9).set(segment, 0, 0x1ff);
    new U16(2).set(segment, 0, 0x1abcd);
    new U32(4).set(segment, 0, 0x01020304);
    byte[] bytes = segment.asSlice(0, 12).toArray(ValueLayout.JAVA_BYTE);
    assertThat(bytes).containsExactly(0x5a, 0x5a, 0xcd, 0xab, 4, 3, 2, 1, 0x5a, 0xff, 0x5a, 0x5a);
  }

  @Test
  void orderedAccessMovesTheSameBits() {
    new U16(6).setRelease(segment, 8, 0xfedc);
    new U32(8).setRelease(segment, 8, 0xfedcba98);
    assertThat(new U16(6).get(segment, 8)).isEqualTo(0xfedc);
    assertThat(new U16(6).getAcquire(segment, 8)).isEqualTo(0xfedc);
    assertThat(new U32(8).get(segment, 8)).isEqualTo(0xfedcba98);
    assertThat(new U32(8).getAcquire(segment, 8)).isEqualTo(0xfedcba98);
  }

  @Test
  void textIsPaddedCutAndTrimmed() {
    Bytes field = new Bytes(3, 6);
    segment.fill((byte) 'x');
    field.setText(segment, 1, "two");
    assertThat(segment.asSlice(3, 9).toArray(ValueLayout.JAVA_BYTE)).isEqualTo("xtwo   xx".getBytes());
    assertThat(field.getText(segment, 1)).isEqualTo("two");
    field.setText(segment, 1, "twostepping");
    assertThat(field.getText(segment, 1)).isEqualTo("twoste");
  }

  @Test
  void bitsReachTheWholeWord() {
    Bits all = new Bits(63, 0);
    assertThat(all.get(-1L)).isEqualTo(-1L);
    assertThat(all.with(0L, -1L)).isEqualTo(-1L);
    Bits high = new Bits(31, 12);
    assertThat(high.get(0xfedcb987)).isEqualTo(0xfedcb);
    assertThat(high.with(0xffffffff, 0)).isEqualTo(0xfff);
    assertThat(Bits.bit(31).with(0, 1)).isEqualTo(Integer.MIN_VALUE);
    assertThat(Bits.bit(31).isSet(Integer.MIN_VALUE)).isTrue();
    assertThat(Bits.bit(32).isSet(Integer.MIN_VALUE)).isFalse();
  }

  @Test
  void bitsRefuseValueThatDoesNotFit() {
    assertThatThrownBy(() -> new Bits(7, 4).with(0, 16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0x10 does not fit bits [7:4]");
    assertThatThrownBy(() -> new Bits(3, 4)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Bits(64, 4)).isInstanceOf(IllegalArgumentException.class);
  }
}
