package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestWorkload;
import io.twostep.device.vfio.model.MigratableModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A guest that stands still: what its programs expect of it, its memory, and the state of its devices. */
final class Moment {
  final List<GuestWorkload> workloads;
  private byte @Nullable [] memory;
  private List<byte[]> states = List.of();

  /** Remember what the programs expect; the devices may not have stopped yet. */
  Moment(List<GuestWorkload> workloads) {
    this.workloads = workloads.stream().map(GuestWorkload::remember).toList();
  }

  /** Remember the rest, now that nothing moves; the first time counts. */
  void capture(Host host) {
    if (memory == null) {
      memory = host.guest.segment().toArray(ValueLayout.JAVA_BYTE);
      states = host.models.stream().map(MigratableModel::state).toList();
    }
  }

  void requireEqual(Host host, String seed) {
    assertThat(memory).as("a moment that was captured").isNotNull();
    assertThat(host.guest.segment().mismatch(MemorySegment.ofArray(memory))).as("first byte of memory that differs, %s", seed).isEqualTo(-1);
    for (int i = 0; i < states.size(); i++) {
      assertThat(Arrays.mismatch(host.models.get(i).state(), states.get(i))).as("first byte of device %d that differs, %s", i, seed).isEqualTo(-1);
    }
  }
}
