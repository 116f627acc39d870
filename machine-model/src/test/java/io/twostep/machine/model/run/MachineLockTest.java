package io.twostep.machine.model.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineLockTest {
  @Test
  void callThatFailsKeepsNoOtherFromBeingMadeOnceTheLockIsFree() {
    MachineLock lock = new MachineLock();
    List<String> made = new ArrayList<>();
    lock.enter();
    lock.afterwards(
        () -> {
          made.add("first");
          throw new IllegalStateException("an interrupt handler that fails");
        });
    lock.afterwards(() -> made.add("second"));
    lock.afterwards(
        () -> {
          throw new IllegalStateException("a fault listener that fails");
        });
    assertThatIllegalStateException()
        .isThrownBy(lock::exit)
        .withMessage("an interrupt handler that fails")
        .satisfies(e -> assertThat(e.getSuppressed()).singleElement().satisfies(other -> assertThat(other).hasMessage("a fault listener that fails")));
    assertThat(made).containsExactly("first", "second");
    lock.enter();
    lock.exit();
    assertThat(made).as("made once").hasSize(2);
  }
}
