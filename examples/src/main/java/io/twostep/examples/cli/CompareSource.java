package io.twostep.examples.cli;

import io.twostep.examples.compare.Comparing;
import io.twostep.examples.compare.Layout;
import io.twostep.examples.compare.LayoutCsv;
import io.twostep.examples.compare.Progress;
import io.twostep.examples.compare.SyntheticLayout;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where the buffers come from: the options that name it, of which at most one is given. */
final class CompareSource {
  private static final String DEFAULT_SPEC = "scattered:4096x1024";

  @Option(names = "--file", paramLabel = "FILE", description = "Buffers that hold FILE, in pages scattered at random; the device reads its bytes.")
  private @Nullable String file;

  @Option(
      names = "--layout",
      paramLabel = "CSV",
      description = {"Buffers that lie as CSV says: a line phys,length, then one line for each range, in bytes, decimal or 0x.", "'twostep capture' writes such files."})
  private @Nullable String layout;

  @Option(
      names = "--synthetic",
      paramLabel = "SPEC",
      description = {
        "Buffers made up: parts KIND:SIZE or KIND:SIZExCOUNT, joined by +. Default: " + DEFAULT_SPEC + ".",
        "Kinds: contiguous, scattered (aligned, never adjacent), unaligned (beginning anywhere in a page), mixed (half 2 MiB pieces, half 4 KiB pages)."
      })
  private @Nullable String synthetic;

  /** Check that a report does not replace what it is about. */
  void requireOther(Path report) {
    String read = file != null ? file : layout;
    if (read != null) {
      Arguments.requireOther(report, Arguments.readable(read));
    }
  }

  /** Open what was named. */
  Comparing open(long seed, Progress progress) throws IOException {
    if ((file == null ? 0 : 1) + (layout == null ? 0 : 1) + (synthetic == null ? 0 : 1) > 1) {
      throw new BadInput("--file, --layout and --synthetic exclude each other; give one");
    }
    if (file != null) {
      Path path = Arguments.readable(file);
      return Comparing.ofFile(scattered(path, seed), path, progress);
    }
    return Comparing.ofRandomBytes(layout == null ? SyntheticLayout.of(synthetic == null ? DEFAULT_SPEC : synthetic, seed) : csv(layout), progress);
  }

  private static Layout csv(String name) throws IOException {
    Path path = Arguments.readable(name);
    try {
      return LayoutCsv.read(path);
    } catch (CharacterCodingException e) {
      throw new BadInput(name + " is no text in UTF-8");
    }
  }

  private static Layout scattered(Path path, long seed) throws IOException {
    long size = Files.size(path);
    if (size < 1 || size > Layout.MOST_BYTES) {
      throw new BadInput(path + " has " + size + " bytes; it must have from 1 to " + Layout.MOST_BYTES);
    }
    return SyntheticLayout.ofPages(path.toString(), size, seed);
  }
}
