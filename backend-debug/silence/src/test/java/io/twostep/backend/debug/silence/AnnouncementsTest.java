package io.twostep.backend.debug.silence;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.util.Set;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** The last to run, when all tests have had their chance to break what they announce. */
@Order(Integer.MAX_VALUE)
class AnnouncementsTest {
  /** A tag that outlives the crime it announced would forgive the next one, which nobody meant. */
  @Test
  void everyRuleThatATestAnnouncesIsBrokenByIt() {
    assertThat(Sentinel.announcements().empty()).as("rules in tags breaks: that no stack saw broken; take them out, or say may-break: if it is by chance").isEmpty();
  }

  @Test
  void announcementsAreKeptByOneOfTheStacksThatATestRunsOn() throws NoSuchMethodException {
    Method test = getClass().getDeclaredMethod("announcementsAreKeptByOneOfTheStacksThatATestRunsOn");
    Announcements announcements = new Announcements();
    announcements.heard(test, Set.of("mapped-twice", "never-mapped"), Set.of());
    announcements.heard(test, Set.of("mapped-twice", "never-mapped"), Set.of("never-mapped", "empty-range"));
    announcements.heard(test, Set.of("mapped-twice", "never-mapped"), Set.of());
    assertThat(announcements.empty()).containsExactly("AnnouncementsTest.announcementsAreKeptByOneOfTheStacksThatATestRunsOn: mapped-twice");
  }
}
