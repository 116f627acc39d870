package io.twostep.machine.linux.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.Mmio;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A BAR that goes away under the processor, in a JVM of its own: a mapped file that is cut off raises the same bus error as a BAR that the kernel took back.
 */
class LostBarTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"read32, 1", "read64, 1", "write32, 1", "write64, 1", "read32, 200000", "read64, 200000", "write32, 200000", "write64, 200000"})
  void accessToALostBarIsNoticedWhereItIsMadeHoweverHotTheCode(String access, int times) throws Exception {
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xbatch",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classPath(),
                Child.class.getName(),
                access,
                Integer.toString(times),
                folder.resolve("bar").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(said.lines())
        .containsExactly(access.startsWith("read") ? "all ones" : "written", "lost", access.startsWith("read") ? "all ones" : "written", "lost", "out of bounds");
    assertThat(child.exitValue()).isZero();
  }

  private static String classPath() {
    StringBuilder places = new StringBuilder();
    for (Class<?> needed : new Class<?>[] {Child.class, BarMmio.class, Mmio.class}) {
      places.append(place(needed)).append(':');
    }
    return places.toString();
  }

  /** Return where a class is read from: a module's location is not where its tests are. */
  private static Path place(Class<?> type) {
    String file = "/" + type.getName().replace('.', '/') + ".class";
    String url = String.valueOf(type.getResource(file));
    String root = url.startsWith("jar:") ? url.substring("jar:".length(), url.indexOf("!/")) : url.substring(0, url.length() - file.length());
    return Path.of(URI.create(root));
  }

  /** Touches a BAR until the code is compiled, cuts it off, and touches it again. */
  static final class Child {
    private static final long LENGTH = 8192;

    private Child() {}

    public static void main(String[] arguments) throws IOException {
      Path file = Path.of(arguments[2]);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.allocate((int) LENGTH));
        MemorySegment bar = channel.map(MapMode.READ_WRITE, 0, LENGTH, Arena.global());
        AtomicInteger lost = new AtomicInteger();
        BarMmio mmio = new BarMmio(bar, "0000:00:03.0 BAR 0", cause -> lost.incrementAndGet());
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
          touch(mmio, arguments[0], 4096);
        }
        channel.truncate(0);
        for (int i = 1; i <= 2; i++) {
          System.out.println(touch(mmio, arguments[0], 4096));
          System.out.println(lost.get() == i ? "lost" : "told " + lost + " times");
        }
        try {
          touch(mmio, arguments[0], LENGTH);
        } catch (IndexOutOfBoundsException e) {
          System.out.println("out of bounds");
        }
      }
      Files.delete(file);
    }

    private static String touch(BarMmio mmio, String access, long offset) {
      return switch (access) {
        case "read32" -> mmio.read32(offset) == -1 ? "all ones" : "something";
        case "read64" -> mmio.read64(offset) == -1L ? "all ones" : "something";
        case "write32" -> {
          mmio.write32(offset, 1);
          yield "written";
        }
        default -> {
          mmio.write64(offset, 1);
          yield "written";
        }
      };
    }
  }
}
