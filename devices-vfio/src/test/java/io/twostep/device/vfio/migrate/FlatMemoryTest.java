package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Many migrations in one process leave nothing behind. {@code -Dtwostep.migrations=1000} for the long run. */
class FlatMemoryTest {
  private static final Logger LOG = LoggerFactory.getLogger(FlatMemoryTest.class);
  private static final int MIGRATIONS = Integer.getInteger("twostep.migrations", 20);
  private static final int FIRST = Math.max(10, MIGRATIONS / 10);
  private static final long GUEST = 128 << 10;

  @TempDir Path work;

  /** What the process holds once everything that nobody refers to is gone. */
  private record Held(long heap, long direct, long mappings, long descriptors, long threads) {
    static Held now() throws IOException {
      long heap = Long.MAX_VALUE;
      long direct = Long.MAX_VALUE;
      // What a collection found is let go of by another thread.
      for (int i = 0; i < 10; i++) {
        System.gc();
        heap = Math.min(heap, Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
        direct = Math.min(direct, directBytes());
      }
      return new Held(heap, direct, mappedFiles(), openDescriptors(), Thread.getAllStackTraces().size());
    }

    /** By reflection, because the module under test does not read the management module. */
    private static long directBytes() {
      try {
        Class<?> kind = Class.forName("java.lang.management.BufferPoolMXBean");
        long bytes = 0;
        for (Object pool : (List<?>) Class.forName("java.lang.management.ManagementFactory").getMethod("getPlatformMXBeans", Class.class).invoke(null, kind)) {
          bytes += (long) kind.getMethod("getMemoryUsed").invoke(pool);
        }
        return bytes;
      } catch (ReflectiveOperationException e) {
        throw new AssertionError(e);
      }
    }

    private static long openDescriptors() throws IOException {
      try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
        return open.count();
      }
    }

    /** Files that are mapped: the memory of modelled machines. */
    private static long mappedFiles() throws IOException {
      try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
        return maps.filter(line -> line.contains("(deleted)") || line.contains("twostep")).filter(line -> !line.contains(".jar")).count();
      }
    }
  }

  @Test
  @Tag("unchecked")
  void manyMigrationsLeaveNothingBehind() throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    Held first = null;
    for (int i = 0; i < FIRST + MIGRATIONS; i++) {
      first = i == FIRST ? Held.now() : first;
      migrate(random.nextLong(), i % 3 == 0);
    }
    Held last = Held.now();
    LOG.info("held after {} migrations: {}; after {} more: {}", FIRST, first, MIGRATIONS, last);
    assertThat(first).isNotNull();
    assertThat(last.threads()).as("threads").isLessThanOrEqualTo(first.threads());
    assertThat(last.descriptors()).as("file descriptors").isLessThanOrEqualTo(first.descriptors());
    assertThat(last.mappings()).as("mapped files").isLessThanOrEqualTo(first.mappings());
    // Each has two guests; whatever keeps one of ten is seen.
    long kept = MIGRATIONS * 2 * GUEST / 10;
    assertThat(last.heap() - first.heap()).as("heap that grew, bytes").isLessThan(kept);
    assertThat(last.direct() - first.direct()).as("direct memory that grew, bytes").isLessThan(kept);
  }

  private void migrate(long seed, boolean cancelled) throws IOException {
    ModelConfig model = ModelConfig.DEFAULT.withPagesPerTurn(2).withInternalPages(4);
    MigrationConfig config = new MigrationConfig(5000, 4, 16384, (seed & 1) == 0 ? WriteTracking.IOMMU : WriteTracking.DEVICE, false);
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = new Migration(seed, GUEST, 1, model, config, files, false)) {
      if (cancelled) {
        while (migration.source.phase() != Phase.STOP_COPY) {
          migration.step();
        }
        migration.source.cancel();
      } else {
        migration.run();
      }
      migration.drainAndVerify();
    }
    Files.deleteIfExists(work.resolve("ownership"));
  }
}
