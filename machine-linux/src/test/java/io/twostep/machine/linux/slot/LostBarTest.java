package io.twostep.machine.linux.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaMappingException;
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
  void accessToALostBarIsDetachedWhereItIsMadeHoweverHotTheCode(String access, int times) throws Exception {
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
            .redirectErrorStream(true)
            .start();
    String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(said).isEqualToIgnoringNewLines("0000:00:03.0 BAR 0 DETACHED");
    assertThat(child.exitValue()).isZero();
  }

  private static String classPath() {
    StringBuilder places = new StringBuilder();
    for (Class<?> needed : new Class<?>[] {Child.class, BarMmio.class, DmaMappingException.class}) {
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
        BarMmio mmio = new BarMmio(bar, "0000:00:03.0 BAR 0");
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
          touch(mmio, arguments[0], 4096);
        }
        channel.truncate(0);
        try {
          touch(mmio, arguments[0], 4096);
          System.out.println("nothing happened");
        } catch (DmaMappingException e) {
          System.out.println(e.getMessage().substring(0, "0000:00:03.0 BAR 0 ".length() - 1) + " " + e.reason());
        }
      }
      Files.delete(file);
    }

    private static void touch(BarMmio mmio, String access, long offset) {
      switch (access) {
        case "read32" -> mmio.read32(offset);
        case "read64" -> mmio.read64(offset);
        case "write32" -> mmio.write32(offset, 1);
        default -> mmio.write64(offset, 1);
      }
    }
  }
}
