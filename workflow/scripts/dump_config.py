"""Print the configuration with every default filled in, as YAML that is itself a configuration."""

import argparse
import json

import yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    print(yaml.safe_dump(json.loads(parser.parse_args().settings), sort_keys=False, allow_unicode=True), end="")


if __name__ == "__main__":
    main()
