package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import java.util.HashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TagsTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 31, 32, 127, 1023, 4095, 4096})
  void onlyIdsOfOutstandingCommandsMatch(int count) {
    RandomGenerator random = Seeds.random();
    Tags tags = new Tags(count);
    Map<Integer, Integer> live = new HashMap<>();
    for (int step = 0; step < 20_000; step++) {
      if (random.nextBoolean()) {
        int tag = tags.take();
        assertThat(tag == Tags.NONE).as(Seeds.at(step)).isEqualTo(live.size() == count);
        if (tag != Tags.NONE) {
          int id = tags.issue(tag);
          assertThat(id).isBetween(0, 0xfffe);
          assertThat(live.put(id, tag)).as(Seeds.at(step)).isNull();
        }
      } else if (!live.isEmpty()) {
        int id = live.keySet().iterator().next();
        int tag = live.remove(id);
        assertThat(tags.match(id)).as(Seeds.at(step)).isEqualTo(tag);
        tags.retire(tag);
        assertThat(tags.match(id)).as("a duplicate").isEqualTo(Tags.NONE);
        tags.free(tag);
      }
      int any = random.nextInt(0x10000);
      assertThat(tags.match(any)).as(Seeds.at(step)).isEqualTo(live.getOrDefault(any, Tags.NONE));
    }
    assertThat(tags.free()).isEqualTo(count - live.size());
  }

  @Test
  void lateCompletionDoesNotMatchTheTagsNextCommands() {
    Tags tags = new Tags(128);
    int tag = tags.take();
    int late = tags.issue(tag);
    for (int use = 0; use < 500; use++) {
      tags.retire(tag);
      assertThat(tags.issue(tag)).isNotEqualTo(late);
      assertThat(tags.match(late)).isEqualTo(Tags.NONE);
    }
  }

  @Test
  void countIsLimitedToTwelveBits() {
    assertThatThrownBy(() -> new Tags(4097)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Tags(0)).isInstanceOf(IllegalArgumentException.class);
  }
}
