package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.dma.DmaDirection;
import org.junit.jupiter.api.Test;

class AccessFlagsTest {
  @Test
  void rightOfPeersToChangeMemoryNeedsLocalWrite() {
    assertThatIllegalArgumentException().isThrownBy(() -> AccessFlags.check(AccessFlags.REMOTE_WRITE)).withMessageContaining("add LOCAL_WRITE");
    assertThatIllegalArgumentException().isThrownBy(() -> AccessFlags.check(AccessFlags.REMOTE_ATOMIC)).withMessageContaining("add LOCAL_WRITE");
    int writable = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_ATOMIC;
    assertThat(AccessFlags.check(writable)).isEqualTo(writable);
  }

  @Test
  void unknownHintsAreIgnoredAndUnknownRightsRefused() {
    assertThat(AccessFlags.check(1 << 29 | AccessFlags.RELAXED_ORDERING)).isEqualTo(AccessFlags.RELAXED_ORDERING);
    assertThatIllegalArgumentException().isThrownBy(() -> AccessFlags.check(1 << 10)).withMessageContaining("0x400");
    assertThatIllegalArgumentException().isThrownBy(() -> AccessFlags.check(1 << 31)).withMessageContaining("0x80000000");
  }

  @Test
  void deviceGetsWritePermissionOnlyWhereSomeUseWrites() {
    assertThat(AccessFlags.direction(AccessFlags.REMOTE_READ)).isEqualTo(DmaDirection.TO_DEVICE);
    assertThat(AccessFlags.direction(AccessFlags.LOCAL_WRITE)).isEqualTo(DmaDirection.BIDIRECTIONAL);
  }
}
