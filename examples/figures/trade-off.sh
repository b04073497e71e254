# The runs behind the trade-off: two methods over beta. What is trained already is left alone.
set -e
for method in trades st; do
  for beta in 1 3 12; do
    run=runs/$method-beta$beta
    [ -f "$run/summary.json" ] || bulwark train $method.yaml --set objective.beta=$beta --out "$run"
  done
done
