package io.twostep.backend.p2p;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;

/** Asserts why something was refused. */
final class ReasonAssert {
  private ReasonAssert() {}

  static void assertReason(Reason reason, Runnable call) {
    assertThatThrownBy(call::run).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }
}
