package io.twostep.benchmarks.flow;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.temporary.AtEnd;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class JavaProcessTest {
  /** Measures without end. */
  static final class Measured {
    public static void main(String[] arguments) throws InterruptedException {
      System.out.println(ProcessHandle.current().pid());
      new CountDownLatch(1).await();
    }
  }

  /** Waits for what is measured, as the command does. */
  static final class Measuring {
    public static void main(String[] arguments) throws IOException, InterruptedException {
      JavaProcess.run(List.of(), Measured.class, List.of(), System.out::println);
    }
  }

  /** A shell's Ctrl-C reaches both; a signal to the one that was started must end the other too. */
  @Test
  void whatIsMeasuredEndsWithWhoMeasures() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String places = Stream.of(JavaProcess.class, JavaProcessTest.class, AtEnd.class).map(JavaProcessTest::place).collect(Collectors.joining(File.pathSeparator));
    Process measuring = new ProcessBuilder(java, "-cp", places, Measuring.class.getName()).redirectError(Redirect.INHERIT).start();
    try (BufferedReader printed = measuring.inputReader()) {
      ProcessHandle measured = ProcessHandle.of(Long.parseLong(printed.readLine())).orElseThrow();
      measuring.toHandle().destroy();
      try {
        assertThat(measured.onExit().get(60, TimeUnit.SECONDS).isAlive()).isFalse();
      } finally {
        measured.destroyForcibly();
      }
    } finally {
      measuring.destroyForcibly();
    }
  }

  private static String place(Class<?> member) {
    return new File(member.getProtectionDomain().getCodeSource().getLocation().getPath()).toString();
  }
}
