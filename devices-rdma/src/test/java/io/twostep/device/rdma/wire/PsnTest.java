package io.twostep.device.rdma.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PsnTest {
  @Test
  void numbersGoRoundAndHalfOfThemLieBehindEach() {
    assertThat(Psn.add(0xffffff, 1)).isZero();
    assertThat(Psn.add(0, -1)).isEqualTo(0xffffff);
    assertThat(Psn.distance(0xfffffe, 3)).isEqualTo(5);
    assertThat(Psn.distance(3, 0xfffffe)).isEqualTo(-5);
    assertThat(Psn.distance(0, 0x7fffff)).isEqualTo(0x7fffff);
    assertThat(Psn.distance(0, 0x800000)).isEqualTo(-0x800000);
    assertThat(Psn.isWithin(1, 0xfffffe, 4)).isTrue();
    assertThat(Psn.isWithin(2, 0xfffffe, 4)).isFalse();
    assertThat(Psn.isWithin(0, 0, 0)).isFalse();
  }

  @Test
  void timesOfAReceiverThatIsNotReadyGrowFromTenMicrosecondsAndZeroIsTheLongest() {
    assertThat(RnrTimer.nanos(1)).isEqualTo(10_000);
    assertThat(RnrTimer.nanos(31)).isEqualTo(491_520_000);
    assertThat(RnrTimer.nanos(0)).isEqualTo(655_360_000);
    for (int code = 2; code < 32; code++) {
      assertThat(RnrTimer.nanos(code)).isGreaterThan(RnrTimer.nanos(code - 1));
    }
  }
}
